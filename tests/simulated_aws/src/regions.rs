//! The account's other regions: empty, unless a test puts something there.

use crate::Account;
use crate::wire::Call;

impl Account {
    /// What there is in a region. Another one than the account's own begins empty and behaves as this one did then.
    pub fn in_region(&mut self, region: &str) -> &mut Account {
        if region == self.region {
            return self;
        }
        let mut new = Account::new(region);
        (new.clock, new.script, new.caller) = (self.clock, self.script.clone(), self.caller.clone());
        self.regions.entry(region.to_owned()).or_insert(new)
    }

    /// Where a call is for, where that is another region.
    ///
    /// Fact: IAM and STS answer for the whole account, wherever they are asked.
    pub(crate) fn elsewhere(&mut self, call: &Call) -> Option<&mut Account> {
        let is_global = ["iam", "sts"].contains(&call.service.as_str());
        let is_here = call.region.is_empty() || call.region == self.region;
        (!is_global && !is_here).then(|| self.in_region(&call.region))
    }
}
