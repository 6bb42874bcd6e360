//! The regions of AWS, from <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>, looked
//! up in November 2026. Which of them an account has enabled only a call tells.

const COMMERCIAL: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
];
const CHINA: &[&str] = &["cn-north-1", "cn-northwest-1"];
const GOVERNMENT: &[&str] = &["us-gov-east-1", "us-gov-west-1"];

/// All regions of the partition that this one is in, itself first. One that no table knows is alone.
pub fn beside(home: &str) -> Vec<String> {
    let tables = [COMMERCIAL, CHINA, GOVERNMENT];
    let others = tables.into_iter().find(|table| table.contains(&home)).unwrap_or_default();
    let others = others.iter().filter(|region| **region != home);
    std::iter::once(home).chain(others.copied()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::value;
    use std::collections::BTreeSet;

    #[test]
    fn the_regions_of_a_partition_are_told_once_each_the_own_one_first() {
        let regions = beside("eu-central-1");
        assert_eq!(regions[0], "eu-central-1");
        assert_eq!(regions.iter().collect::<BTreeSet<_>>().len(), COMMERCIAL.len());
        assert!(regions.iter().all(|region| value::region(region).is_ok()));
        assert_eq!(beside("cn-north-1"), ["cn-north-1", "cn-northwest-1"]);
        assert_eq!(beside("us-gov-west-1"), ["us-gov-west-1", "us-gov-east-1"]);
        assert_eq!(beside("us-moon-1"), ["us-moon-1"]);
    }
}
