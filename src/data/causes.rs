//! What the error codes of a delivery stream mean, and what to do: the same codes stand in its log, and in what lands
//! under the error prefix. <https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html>

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// What happened, as a sentence.
    pub meaning: &'static str,
    /// What to do about it, as a sentence.
    pub remedy: &'static str,
}

const ROLES: &str = "Look with `status --drift` who changed the role, then bring the environment up again.";
const ANSWER: &str =
    "Mend the processor: each recordId has to be answered once, as Ok, Dropped or ProcessingFailed.";
const SMALLER: &str =
    "Make the processor quicker, raise its timeout or memory, or have it given smaller batches.";
const NETWORK: &str = "Mend the function's VPC configuration.";
const LATER: &str = "It passes by itself; Firehose tries again.";
const KEY: &str =
    "Let the key be enabled, and its policy and the delivery role allow kms:Decrypt and kms:GenerateDataKey.";
const SCHEMA: &str = "Mend the table in the Glue Data Catalog, or the role's access to it.";

/// A code that ends in `.` or `*` stands for all that begin so; the first that fits counts.
const CAUSES: &[(&str, &str, &str)] = &[
    (
        "Lambda.ProcessingFailedStatus",
        "The processor answered ProcessingFailed: it could not transform the record.",
        "Mend whoever sends such records, or the processor; the raw record is kept under the error prefix.",
    ),
    (
        "Lambda.AssumeRoleAccessDenied",
        "Firehose may not assume the delivery role, so it can't call the processor.",
        ROLES,
    ),
    ("Lambda.InvokeAccessDenied", "The delivery role may not call the processor.", ROLES),
    (
        "Lambda.JsonProcessingException",
        "The processor's answer is not what Firehose expects: no JSON, or another shape.",
        ANSWER,
    ),
    (
        "Lambda.JsonMappingException",
        "The processor's answer is JSON of another shape than Firehose expects.",
        ANSWER,
    ),
    (
        "Lambda.InvalidReturnFormat",
        "The processor's answer is of another shape than Firehose expects.",
        ANSWER,
    ),
    ("Lambda.MissingRecordId", "The processor did not answer every record.", ANSWER),
    ("Lambda.DuplicatedRecordId", "The processor answered a record twice.", ANSWER),
    (
        "Lambda.InvokeLimitExceeded",
        "Too many functions run at once in this account: the processor could not be called.",
        "Raise the account's limit of concurrent executions (new accounts have 10), or the function's reserved ones.",
    ),
    ("Lambda.ResourceNotFound", "The processor is not there.", "Bring the environment up again."),
    ("Lambda.FunctionTimedOut", "The processor took longer than its timeout.", SMALLER),
    ("Lambda.FunctionTimeout", "The processor took longer than its timeout.", SMALLER),
    (
        "Lambda.FunctionRequestTimedOut",
        "The processor did not answer within the five minutes that Firehose waits.",
        SMALLER,
    ),
    (
        "Lambda.FunctionError",
        "The processor ended with an error: it failed, or ran out of memory or time.",
        "See `logs --errors` for what it said. Firehose tried the batch four times, then gave it up.",
    ),
    ("Lambda.InvalidSubnetIDException", "The function's subnet does not fit its VPC.", NETWORK),
    (
        "Lambda.InvalidSecurityGroupIDException",
        "The function's security group does not fit its VPC.",
        NETWORK,
    ),
    ("Lambda.SubnetIPAddressLimitReachedException", "The function's subnets have no address left.", NETWORK),
    ("Lambda.ENILimitReachedException", "The VPC has no network interface left for the function.", NETWORK),
    ("Lambda.KMS*", "Lambda can't decrypt the function's environment variables with their KMS key.", KEY),
    ("Lambda.InternalServerError", "Lambda is in trouble.", LATER),
    ("Lambda.ServiceUnavailableException", "Lambda is in trouble.", LATER),
    (
        "Lambda.",
        "The processor could not be called, or did not answer as it should.",
        "See `logs --errors` for what it said.",
    ),
    ("S3.KMS.RequestLimitExceeded", "There were too many requests to KMS for the bucket's key.", LATER),
    ("S3.KMS.AccessDeniedException", "The delivery role may not use the KMS key of the bucket.", KEY),
    ("S3.KMS.NotFoundException", "The KMS key of the bucket is not there.", KEY),
    ("S3.KMS.", "The KMS key of the bucket can't be used.", KEY),
    ("S3.AccessDenied", "The delivery role may not write to the bucket.", ROLES),
    (
        "S3.NoSuchBucket",
        "The bucket is not there. Data waits in the stream for as long as that retains it.",
        "Take the environment down and bring it up again.",
    ),
    (
        "S3.AllAccessDisabled",
        "All access to the bucket is switched off.",
        "Ask AWS Support: the account or bucket is blocked.",
    ),
    ("S3.AccountProblem", "Something is wrong with the AWS account.", "Ask AWS Support."),
    ("S3.NotSignedUp", "The account is not signed up for S3.", "Sign up for S3, or ask AWS Support."),
    ("S3.InvalidPayer", "All access to the bucket is switched off.", "Ask AWS Support."),
    ("S3.MethodNotAllowed", "The bucket does not take such calls.", ROLES),
    ("S3.InternalError", "S3 is in trouble.", LATER),
    (
        "S3.",
        "The bucket could not be written to.",
        "Firehose tries for as long as the stream retains the data.",
    ),
    ("Kinesis.AccessDenied", "The delivery role may not read the data stream.", ROLES),
    (
        "Kinesis.ResourceNotFound",
        "The data stream is not there.",
        "Take the environment down and bring it up again.",
    ),
    ("Kinesis.KMS.", "The KMS key of the data stream can't be used.", KEY),
    (
        "Kinesis.Throttling",
        "Too many read the data stream: a shard gives 5 reads a second, to all readers together.",
        "Read less often, or add shards.",
    ),
    (
        "Kinesis.SubscriptionRequired",
        "The account is not signed up for Kinesis.",
        "Sign up for it, or ask AWS Support.",
    ),
    ("Kinesis.", "The data stream could not be read.", ROLES),
    ("KMS.", "A KMS key can't be used.", KEY),
    (
        "DataFormatConversion.MalformedData",
        "The row holds what can't be converted: it does not fit the schema.",
        "Mend the processor, or the table's schema.",
    ),
    ("DataFormatConversion.InvalidSchema", "The table's schema can't be used.", SCHEMA),
    ("DataFormatConversion.EntityNotFound", "The table or database is not there.", SCHEMA),
    ("DataFormatConversion.AccessDenied", "The role may not read the table's schema.", SCHEMA),
    ("DataFormatConversion.", "The row could not be converted into columns.", SCHEMA),
    ("DataConversion.", "The row could not be converted into columns.", SCHEMA),
    (
        "DynamicPartitioning.",
        "The row's partition could not be made out.",
        "Mend the expression of the partition, or the rows.",
    ),
    ("InternalError", "Firehose is in trouble.", LATER),
];

/// What a code means, where it is known.
pub fn cause(code: &str) -> Option<Cause> {
    let fits = |known: &str| match known.strip_suffix('*') {
        Some(start) => code.starts_with(start),
        None if known.ends_with('.') => code.starts_with(known),
        None => code == known,
    };
    let (_, meaning, remedy) = CAUSES.iter().find(|(known, ..)| fits(known))?;
    Some(Cause { meaning, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_is_explained_and_a_family_explains_the_rest() {
        for code in [
            "Lambda.AssumeRoleAccessDenied",
            "Lambda.InvokeAccessDenied",
            "Lambda.JsonProcessingException",
            "Lambda.InvokeLimitExceeded",
            "Lambda.DuplicatedRecordId",
            "Lambda.MissingRecordId",
            "Lambda.ResourceNotFound",
            "Lambda.FunctionTimedOut",
            "Lambda.FunctionError",
            "Lambda.SomethingNew",
            "S3.AccessDenied",
            "S3.NoSuchBucket",
            "S3.KMS.DisabledException",
            "Kinesis.AccessDenied",
            "Kinesis.KMS.AccessDeniedException",
            "DataFormatConversion.MalformedData",
        ] {
            assert!(cause(code).is_some(), "{code}");
        }
        assert_eq!(cause("S3"), None);
        assert_eq!(cause("Something.New"), None);
        assert_eq!(cause("Kinesis.KMS.X").unwrap().remedy, KEY);
    }

    #[test]
    fn no_code_hides_behind_a_family_that_comes_before_it() {
        for (place, (code, meaning, _)) in CAUSES.iter().enumerate() {
            let first = CAUSES.iter().position(|(_, found, _)| cause(code).unwrap().meaning == *found);
            assert!(first.is_some_and(|first| first <= place && CAUSES[first].1 == *meaning), "{code}");
        }
    }
}
