"""What each failure stream is about: one row a file. The texts have the shape of CloudFormation's."""

from dataclasses import dataclass, field

ACCOUNT, REGION = "123456789012", "us-east-1"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann"
CI = f"arn:aws:iam::{ACCOUNT}:user/ci"
SERVICE = f"arn:aws:sts::{ACCOUNT}:assumed-role/cfn-exec/AWSCloudFormation"
BUCKET = f"kinesis-stack-{ACCOUNT}-dev-{REGION}"
DELIVERY_ROLE = f"kinesis-stack-dev-delivery-{REGION}"
PROCESSOR_ROLE = f"kinesis-stack-dev-processor-{REGION}"
DELIVERY_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{DELIVERY_ROLE}/AWSFirehoseToKinesis"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/kinesis-stack-dev"


@dataclass
class Row:
    name: str
    operation: str
    resource: str
    text: str
    code: str
    about: str | None
    mentions: list
    what: str
    why: str
    retry: bool = False
    # Which resource is expected, where it isn't the one that the row is about.
    expected: str | None = None
    # Other failures with a text of their own: name, text, seconds later.
    also: list = field(default_factory=list)
    # What fails during the roll-back.
    rollback: dict = field(default_factory=dict)
    changes: list = field(default_factory=lambda: ["Processor", "Stream", "Delivery"])
    status: str | None = None
    at: float | None = None
    cancelled_first: bool = False
    out_of_order: bool = False
    second_try: str | None = None
    stack_reason: str | None = None


def told(message, service, status, code):
    """As a resource handler tells what a service answered."""
    return (f'Resource handler returned message: "{message} (Service: {service}, Status Code: {status}, '
            f'Request ID: UUID) (SDK Attempt Count: 1)" (RequestToken: UUID, HandlerErrorCode: {code})')


def said(message, code):
    """As a resource handler speaks for itself."""
    return f'Resource handler returned message: "{message}" (RequestToken: UUID, HandlerErrorCode: {code})'


def old(message, service, status, code):
    """As CloudFormation told it before there were handlers."""
    return f"{message} (Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: UUID; Proxy: null)"


def create(*arguments, **more):
    name, *rest = arguments
    return Row(name, "create", *rest, **more)


def update(*arguments, **more):
    name, *rest = arguments
    return Row(name, "update", *rest, **more)


def delete(*arguments, **more):
    name, *rest = arguments
    return Row(name, "delete", *rest, **more)


def rows():
    yield from race()
    yield from names()
    yield from quotas()
    yield from permissions()
    yield from denies()
    yield from code()
    yield from values()
    yield from state()
    yield from service()
    yield from unknown()


ASSUME = f"Firehose is unable to assume role arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE}. Please check the role provided."
DESCRIBE = (f"Role arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE} is not authorized to perform: kinesis:DescribeStream "
            f"on resource: {STREAM_ARN}.")
BY_SESSION = (f"User: {DELIVERY_SESSION} is not authorized to perform: kinesis:DescribeStream on resource: "
              f"{STREAM_ARN} because no identity-based policy allows the kinesis:DescribeStream action")
TOKEN = "The security token included in the request is invalid"
LAMBDA_ROLE = "The role defined for the function cannot be assumed by Lambda."


def race():
    yield create("race-firehose-assume", "Delivery", told(ASSUME, "Firehose", 400, "InvalidRequest"), "iam-race", "RoleARN",
                 [DELIVERY_ROLE, "Run `kinesis-stack up` again in a minute"], "Firehose cannot assume the new role yet",
                 "One of the four texts of the IAM race, on the resource that takes the role on, seconds after the role was made.", retry=True)
    yield create("race-firehose-assume-old-wording", "Delivery", old(ASSUME, "AmazonKinesisFirehose", 400, "InvalidArgumentException"),
                 "iam-race", "RoleARN", [DELIVERY_ROLE], "The same in CloudFormation's old wording",
                 "The wrapping differs, AWS' own sentence is the same.", retry=True, out_of_order=True)
    yield create("race-describe-stream-role", "Delivery", told(DESCRIBE, "Firehose", 400, "InvalidRequest"), "iam-race",
                 "KinesisStreamSourceConfiguration.RoleARN", [DELIVERY_ROLE, "so only a second try tells"],
                 "Firehose assumes the role, whose policy hasn't arrived yet",
                 "The template gives the role kinesis:DescribeStream; that it is missing seconds later is the race.", retry=True)
    yield create("race-describe-stream-session", "Delivery", told(BY_SESSION, "Kinesis", 400, "AccessDenied"), "iam-race",
                 "KinesisStreamSourceConfiguration.RoleARN", [DELIVERY_ROLE], "The same as the role's session tells it",
                 "A session of the delivery role, no identity-based policy yet: still the race, though it reads like a missing permission.", retry=True)
    yield create("race-token-firehose", "Delivery", told(TOKEN, "Firehose", 400, "GeneralServiceException"), "iam-race", "RoleARN",
                 [DELIVERY_ROLE], "The session that Firehose got is not known everywhere yet",
                 "The third text of the race: the token of a role that is too new.", retry=True)
    yield create("race-token-lambda", "Processor", told(TOKEN, "Lambda", 403, "GeneralServiceException"), "iam-race", "Role",
                 [PROCESSOR_ROLE], "The same for the processor's role",
                 "Lambda takes on a role too, so the text is the race here as well.", retry=True)
    yield create("race-lambda-role", "Processor", told(LAMBDA_ROLE, "Lambda", 400, "InvalidRequest"), "iam-race", "Role",
                 [PROCESSOR_ROLE, "Lambda could not use the role"], "Lambda cannot assume the new role yet",
                 "The fourth text of the race; the data stream is cancelled because of it, and is no cause.", retry=True)
    yield create("race-lambda-role-old-wording", "Processor", old(LAMBDA_ROLE, "AWSLambdaInternal", 400, "InvalidParameterValueException"),
                 "iam-race", "Role", [PROCESSOR_ROLE], "The same in CloudFormation's old wording",
                 "The wrapping differs, the sentence doesn't.", retry=True, cancelled_first=True)
    yield create("race-after-another-failed-attempt", "Delivery", told(ASSUME, "Firehose", 400, "InvalidRequest"), "iam-race", "RoleARN",
                 ["in a minute"], "The race, after an attempt that failed for a reason of its own",
                 "The earlier attempt's throttling belongs to an operation before this one, and does not count.", retry=True,
                 second_try=told("Rate exceeded for stream kinesis-stack-dev", "Kinesis", 400, "Throttling"))
    yield create("race-and-unknown-at-once", "Delivery", said("Something of no known kind happened", "GeneralServiceException"), "iam-race",
                 "Role", [PROCESSOR_ROLE], "An unknown failure and the race in the same instant",
                 "Both happen before CloudFormation cancels anything; of two at once the one that is known tells more.", retry=True,
                 expected="Processor", at=29.9, also=[("Processor", told(LAMBDA_ROLE, "Lambda", 400, "InvalidRequest"), 0.0)])
    yield update("race-in-an-update", "Delivery", told(ASSUME, "Firehose", 400, "InvalidRequest"), "iam-race", "RoleARN", [DELIVERY_ROLE],
                 "An update made a new role, and the delivery stream took it on at once",
                 "Updates replace roles too; the race is the same, and so is the cure.", retry=True, changes=["DeliveryRole", "Delivery"])
    yield create("no-race-token-on-the-stream", "Stream", told(TOKEN, "Kinesis", 400, "GeneralServiceException"), "credentials-invalid", None,
                 ["takes on no role"], "The token text on a resource that takes on no role",
                 "A data stream has no role: the caller's own credentials, or the region, are meant, and a second try is of no use.")
    yield create("no-race-describe-by-caller", "Delivery",
                 told(f"User: {CALLER} is not authorized to perform: kinesis:DescribeStream on resource: {STREAM_ARN} because no identity-based policy allows the kinesis:DescribeStream action", "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, [CALLER, "kinesis:DescribeStream", STREAM_ARN, '"Effect":"Allow"'],
                 "The caller, not the role, may not describe the stream",
                 "The principal is whoever deploys; no time will give that user the permission.")
    yield create("no-race-boundary-on-the-role", "Delivery",
                 told(f"User: {DELIVERY_SESSION} is not authorized to perform: kinesis:DescribeStream on resource: {STREAM_ARN} because no permissions boundary allows the kinesis:DescribeStream action", "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, ["permissions boundary", DELIVERY_ROLE], "A permissions boundary on the role lacks the action",
                 "The role and its policy are there; a boundary doesn't come with time, so this is no race.")
    yield create("no-race-scp-on-the-role", "Delivery",
                 told(f"User: {DELIVERY_SESSION} is not authorized to perform: kinesis:DescribeStream on resource: {STREAM_ARN} with an explicit deny in a service control policy", "Kinesis", 400, "AccessDenied"),
                 "explicit-deny", None, ["service control policy", DELIVERY_ROLE], "The organization denies it to the role",
                 "An explicit deny is never a race, even for the very action of the race.")


def names():
    yield create("name-log-group", "ProcessorLogGroup",
                 said("Resource of type 'AWS::Logs::LogGroup' with identifier '{\"/properties/LogGroupName\":\"/kinesis-stack/dev/processor\"}' already exists.", "AlreadyExists"),
                 "name-taken", "LogGroupName", ["/kinesis-stack/dev/processor", "aws logs delete-log-group", "--env"],
                 "The processor's log group is there already",
                 "The handler names type, property and value; the others are cancelled because of it.")
    yield create("name-log-group-by-service", "DeliveryLogGroup", told("The specified log group already exists", "CloudWatchLogs", 400, "AlreadyExists"),
                 "name-taken", "LogGroupName", ["/kinesis-stack/dev/delivery"], "The same, as CloudWatch Logs itself tells it",
                 "The sentence has no name, so it has to come from the template.", cancelled_first=True)
    yield create("name-log-group-in-another-stack", "DeliveryLogGroup",
                 f"/kinesis-stack/dev/delivery already exists in stack arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/logs/0aa1d2b0",
                 "name-taken", "LogGroupName", ["stack/logs/0aa1d2b0", "delete-stack"], "Another stack has the log group",
                 "CloudFormation names the stack that has it: deleting the log group itself would break that one.")
    yield create("name-log-stream", "DeliveryLogStream", said("Resource of type 'AWS::Logs::LogStream' with identifier 'S3Delivery' already exists.", "AlreadyExists"),
                 "name-taken", "LogStreamName", ["S3Delivery", "delete-log-stream"], "Firehose's log stream is there already",
                 "A console user made it by hand in the new log group before CloudFormation came to it.")
    yield create("name-role", "DeliveryRole", told(f"Role with name {DELIVERY_ROLE} already exists.", "Iam", 409, "AlreadyExists"), "name-taken",
                 "RoleName", [DELIVERY_ROLE, "iam delete-role", "in this account,"], "The delivery stream's role is there already",
                 "Roles are global in an account, and the name has the region in it: a deployment of this environment left it.", out_of_order=True)
    yield create("name-role-by-handler", "ProcessorRole", said(f"Resource of type 'AWS::IAM::Role' with identifier '{PROCESSOR_ROLE}' already exists.", "AlreadyExists"),
                 "name-taken", "RoleName", [PROCESSOR_ROLE, "--policy-name log"], "The processor's role is there already",
                 "The same cause in the handler's own words.")
    yield create("name-role-old-wording", "ProcessorRole", old(f"Role with name {PROCESSOR_ROLE} already exists.", "AmazonIdentityManagement", 409, "EntityAlreadyExists"),
                 "name-taken", "RoleName", [PROCESSOR_ROLE], "The same in CloudFormation's old wording", "Only the wrapping is older.")
    yield create("name-stream", "Stream", told(f"Stream kinesis-stack-dev under account {ACCOUNT} already exists.", "Kinesis", 400, "AlreadyExists"),
                 "name-taken", "Name", ["aws kinesis delete-stream", "all that is in it"], "The data stream is there already",
                 "Kinesis names the stream; what remedies say of its data matters, since it may hold records.")
    yield create("name-delivery-stream", "Delivery", told(f"Firehose kinesis-stack-dev under accountId {ACCOUNT} already exists", "Firehose", 400, "AlreadyExists"),
                 "name-taken", "DeliveryStreamName", ["delete-delivery-stream", "kinesis-stack-dev"], "The delivery stream is there already",
                 "A deletion of it may have been cut short; everything else of the stack is made by then, so nothing is cancelled.")
    yield create("name-delivery-stream-vague-code", "Delivery", told(f"Firehose kinesis-stack-dev under accountId {ACCOUNT} already exists", "Firehose", 400, "InvalidRequest"),
                 "name-taken", "DeliveryStreamName", ["delete-delivery-stream"], "The same under a vaguer code",
                 "The handler calls it an invalid request; the sentence is what counts.")
    yield create("name-function", "Processor", told("Function already exist: kinesis-stack-dev-processor", "Lambda", 409, "AlreadyExists"),
                 "name-taken", "FunctionName", ["delete-function", "kinesis-stack-dev-processor"], "The processor is there already",
                 "Lambda's grammar is its own; the name stands after the colon.")
    yield create("name-function-old-wording", "Processor", "kinesis-stack-dev-processor already exists", "name-taken", "FunctionName",
                 ["delete-function"], "The same in three words", "What CloudFormation said before it had handlers: name and verb, nothing else.")
    yield create("name-bucket-of-another-account", "Bucket",
                 told("The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", "S3", 409, "AlreadyExists"),
                 "bucket-taken", "BucketName", ["another account", BUCKET, "--env"], "Another account has the bucket's name",
                 "This text means another owner: nothing in this account can be adopted or removed.")
    yield create("name-bucket-of-our-own", "Bucket", told("Your previous request to create the named bucket succeeded and you already own it.", "S3", 409, "AlreadyExists"),
                 "name-taken", "BucketName", [BUCKET, "kinesis-stack up --adopt", "aws s3 rb"], "This account has the bucket already",
                 "The same code as a foreign bucket's, but the sentence says whose it is; its rows may be wanted.")
    yield create("name-bucket-short", "Bucket", f"{BUCKET} already exists", "name-taken", "BucketName", ["up --adopt"],
                 "The bucket is there already, in old words", "The old text doesn't say whose it is; the account's number in the name makes it ours, most likely.")
    yield create("name-bucket-policy", "BucketPolicy", said(f"The bucket policy already exists on bucket {BUCKET}.", "AlreadyExists"), "name-taken",
                 "Bucket", ["delete-bucket-policy"], "Somebody gave the new bucket a policy first",
                 "An automation of the account puts a policy on each new bucket; a bucket has only one.")
    yield update("name-role-in-an-update", "DeliveryRole", told(f"Role with name {DELIVERY_ROLE} already exists.", "Iam", 409, "AlreadyExists"),
                 "name-taken", "RoleName", [DELIVERY_ROLE], "An update adds a role whose name is taken",
                 "It fails as a creation within an update, so the role is new to the stack and the one that has the name is not its own.", status="CREATE_FAILED", changes=["DeliveryRole", "Processor"])


def quotas():
    yield create("quota-shards", "Stream",
                 told(f"This request would exceed the shard limit for the account {ACCOUNT} in {REGION}. Current shard count for the account: 200. Limit: 200. Number of additional shards that would have resulted from this request: 4. Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits.", "Kinesis", 400, "ServiceLimitExceeded"),
                 "quota", "ShardCount", ["Shards per Region", "200 here", "--shards"], "All shards of the account are in use",
                 "Kinesis tells limit and usage; other environments share the quota.")
    yield update("quota-shards-in-an-update", "Stream",
                 told(f"This request would exceed the shard limit for the account {ACCOUNT} in {REGION}. Current shard count for the account: 198. Limit: 200. Number of additional shards that would have resulted from this request: 6.", "Kinesis", 400, "ServiceLimitExceeded"),
                 "quota", "ShardCount", ["Shards per Region", "--shards"], "More shards than the account may have",
                 "The update asks for more shards; code and delivery stream are cancelled because of it.")
    yield create("quota-roles", "ProcessorRole", told("Cannot exceed quota for RolesPerAccount: 1000", "Iam", 409, "ServiceLimitExceeded"), "quota", None,
                 ["Roles per account", "L-FE177D64", "1000 here", "--region us-east-1"], "The account has no role left",
                 "IAM names the quota; both roles would hit it, the first one that did is the cause.",
                 also=[("DeliveryRole", told("Cannot exceed quota for RolesPerAccount: 1000", "Iam", 409, "ServiceLimitExceeded"), 0.0)])
    yield create("quota-delivery-streams", "Delivery",
                 told("You have already consumed your firehose quota of 50 hoses. Firehose names: [orders, clicks, audit]", "Firehose", 400, "ServiceLimitExceeded"),
                 "quota", None, ["Delivery streams", "50 here", "Amazon Data Firehose"], "The account has no delivery stream left",
                 "Firehose calls its delivery streams hoses, and tells how many there may be.")
    yield create("quota-buckets", "Bucket", told("You have attempted to create more buckets than allowed", "S3", 400, "ServiceLimitExceeded"), "quota", None,
                 ["General purpose buckets", "L-DC2B2D3D"], "The account has no bucket left", "S3 doesn't say how many; the quota is one for all regions.", cancelled_first=True)
    yield create("quota-code-storage", "Processor", told("Code storage limit exceeded.", "Lambda", 400, "ServiceLimitExceeded"), "quota", None,
                 ["Function and layer storage", "L-2ACBD22F", "old versions"], "Old versions of other functions fill Lambda's storage",
                 "It is about the account's functions together, not about the size of this one.")
    yield create("quota-log-groups", "DeliveryLogGroup", told("Resource limit exceeded.", "CloudWatchLogs", 400, "ServiceLimitExceeded"), "quota", None,
                 ["Log groups", "L-D2832119"], "The account has no log group left", "The sentence says nothing, but a log group has only one limit of this kind.")
    yield create("quota-of-another-kind", "ProcessorRole", told(f"Maximum policy size of 10240 bytes exceeded for role {PROCESSOR_ROLE}", "Iam", 409, "ServiceLimitExceeded"),
                 "quota", None, ["AWS' sentence is all that is known"], "A quota that we have no words for",
                 "The code says that a quota is reached; which one is AWS' to say, and it is not guessed.")
    yield create("streams-at-once", "Stream",
                 told(f"This request would have exceed the limit on the number  of streams that can simultaneously be in CREATING or DELETING for the account {ACCOUNT}. Limit: 5.", "Kinesis", 400, "ServiceLimitExceeded"),
                 "streams-at-once", None, ["at most 5", "Wait a minute"], "Twenty pull requests make their streams at once",
                 "No quota that could be raised: a matter of a minute.", retry=True)
    yield create("streams-at-once-old-wording", "Stream",
                 old(f"This request would have exceed the limit on the number of streams that can simultaneously be in CREATING or DELETING for the account {ACCOUNT}. Limit: 5.", "AmazonKinesis", 400, "LimitExceededException"),
                 "streams-at-once", None, ["can't be raised"], "The same in CloudFormation's old wording", "LimitExceeded is the vaguer half of it; the sentence decides.", retry=True)
    yield create("concurrency-of-a-new-account", "Processor",
                 told("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [10].", "Lambda", 400, "InvalidRequest"),
                 "concurrency-of-new-account", "ReservedConcurrentExecutions", ["L-B99A9384", "concurrency of 10"], "A new account can reserve no concurrency",
                 "A minimum of 10 is that of an account whose whole concurrency is 10.")
    yield update("concurrency-below-the-minimum", "Processor",
                 old("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [50].", "AWSLambdaInternal", 400, "InvalidParameterValueException"),
                 "concurrency-of-new-account", "ReservedConcurrentExecutions", ["Concurrent executions"], "The same with an older minimum",
                 "The minimum has been 100, 50 and 10; the meaning is the same.")


def allowed(principal, action, resource, policy="identity-based policy"):
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource} because no {policy} allows the {action} action"


def permissions():
    yield create("permission-create-stream", "Stream", told(allowed(CI, "kinesis:CreateStream", STREAM_ARN), "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, [f"the policy of {CI}", '{"Effect":"Allow","Action":"kinesis:CreateStream"', STREAM_ARN], "The CI user may not create streams",
                 "AWS names who, what, on what, and that no identity-based policy allows it.")
    yield create("permission-create-role", "DeliveryRole", told(allowed(CALLER, "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE}"), "Iam", 403, "AccessDenied"),
                 "not-authorized", None, [CALLER, "iam:CreateRole"], "The deployer may not create roles", "Both roles are refused; the first refusal is the cause.",
                 also=[("ProcessorRole", told(allowed(CALLER, "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{PROCESSOR_ROLE}"), "Iam", 403, "AccessDenied"), 0.1)])
    yield create("permission-create-role-old-wording", "ProcessorRole", f"API: iam:CreateRole User: {CALLER} is not authorized to perform: iam:CreateRole on resource: role {PROCESSOR_ROLE}",
                 "not-authorized", None, ["iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{PROCESSOR_ROLE}", "most likely"], "The same in IAM's old wording",
                 "The resource comes without its ARN, and AWS doesn't say which policy: likely is not sure.")
    yield create("permission-pass-role", "Processor", told(allowed(CALLER, "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{PROCESSOR_ROLE}"), "Lambda", 403, "AccessDenied"),
                 "not-authorized", None, ["iam:PassRole", PROCESSOR_ROLE], "The deployer may not hand the role to Lambda",
                 "Not the role lacks something, but whoever passes it on: not to be taken for the race.")
    yield create("permission-pass-role-firehose", "Delivery", told(f"User: {SERVICE} is not authorized to perform: iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE} because no identity-based policy allows the iam:PassRole action", "Firehose", 400, "AccessDenied"),
                 "not-authorized", None, ["CloudFormation's service role cfn-exec", "iam:PassRole"], "CloudFormation's service role may not pass the role on",
                 "The session AWSCloudFormation shows that the stack has a service role: its policy has to change, not the caller's.")
    yield create("permission-service-role", "Stream", told(allowed(SERVICE, "kinesis:CreateStream", STREAM_ARN), "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, ["CloudFormation's service role cfn-exec"], "CloudFormation's service role may not create streams",
                 "Giving the caller the permission would change nothing.")
    yield create("permission-create-function", "Processor", told(allowed(CALLER, "lambda:CreateFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor"), "Lambda", 403, "AccessDenied"),
                 "not-authorized", None, ["lambda:CreateFunction", "--profile"], "The deployer may not create functions", "A plain missing permission: who, what, on what.", out_of_order=True)
    yield create("permission-create-delivery-stream", "Delivery", told(allowed(CALLER, "firehose:CreateDeliveryStream", f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/kinesis-stack-dev"), "Firehose", 400, "AccessDenied"),
                 "not-authorized", None, ["firehose:CreateDeliveryStream"], "The deployer may not create delivery streams", "The last resource of all: nothing is cancelled.")
    yield create("permission-log-group-with-tags", "DeliveryLogGroup", told(f'User with accountId: {ACCOUNT} is not authorized to perform CreateLogGroup with Tags. An additional permission "logs:TagResource" is required.', "CloudWatchLogs", 400, "AccessDenied"),
                 "not-authorized", None, ['"Action":"logs:TagResource"', "log-group:/kinesis-stack/dev/delivery"], "Log groups may be created, but not tagged",
                 "What is missing is the additional permission, not the one that comes first in the sentence.")
    yield create("permission-tagging-bucket", "Bucket",
                 'Resource handler returned message: "Encountered a permissions error performing a tagging operation, please add required tag permissions. See https://repost.aws/knowledge-center/cloudformation-tagging-permission-error for how to resolve. Resource handler returned message: "Access Denied (Service: S3, Status Code: 403, Request ID: 2FB9496CMHWVN6P1, Extended Request ID: djlPxh01P7F7YtA9WBgwRx8a1gR2K5mHAHicJJhlq1AzO6UIuuZW75R2RQNwiNbLSj//TObklnA=)"" (RequestToken: UUID, HandlerErrorCode: UnauthorizedTaggingOperation)',
                 "not-authorized", "Tags", ["s3:PutBucketTagging", BUCKET], "The bucket may not be tagged",
                 "The code says that it is about tags; a bucket takes one action for that.")
    yield create("permission-tagging-stream", "Stream", told(allowed(CALLER, "kinesis:AddTagsToStream", STREAM_ARN), "Kinesis", 400, "UnauthorizedTaggingOperation"),
                 "not-authorized", "Tags", ["kinesis:AddTagsToStream"], "The data stream may not be tagged", "Here AWS names the action itself.")
    yield create("permission-bucket-quoted", "Bucket", told(f'User: {CALLER} is not authorized to perform: s3:CreateBucket on resource: "arn:aws:s3:::{BUCKET}" because no identity-based policy allows the s3:CreateBucket action', "S3", 403, "AccessDenied"),
                 "not-authorized", None, [f'"Resource":"arn:aws:s3:::{BUCKET}"'], "The deployer may not create buckets", "S3 puts the ARN in quotation marks, which are no part of it.")
    yield create("permission-bucket-plain", "Bucket", told("Access Denied", "S3", 403, "AccessDenied"), "not-authorized", None,
                 ["AWS doesn't say which", "s3:PutEncryptionConfiguration"], "S3 refuses something about the bucket and says no more",
                 "That a permission is missing is sure, which one isn't: the candidates are named as such.")
    yield create("permission-bucket-policy", "BucketPolicy", "API: s3:PutBucketPolicy Access Denied", "not-authorized", None, ["s3:PutBucketPolicy", BUCKET],
                 "The deployer may not write bucket policies", "The action is named, the policy isn't.")
    yield create("permission-session-policy", "Processor", told(allowed(CALLER, "lambda:CreateFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor", "session policy"), "Lambda", 403, "AccessDenied"),
                 "not-authorized", None, ["session policy"], "The session was begun with a narrower policy", "The role may do it, this session of it may not.")
    yield create("permission-boundary", "DeliveryRole", told(allowed(CALLER, "iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE}", "permissions boundary"), "Iam", 403, "AccessDenied"),
                 "not-authorized", None, ["permissions boundary", "iam:PutRolePolicy"], "The deployer's boundary lacks it", "Adding it to the identity's policy would change nothing: the boundary is what lacks it.")
    yield create("permission-resource-policy", "Processor", told(allowed(CALLER, "s3:GetObject", f"arn:aws:s3:::kinesis-stack-artifacts-{ACCOUNT}-{REGION}/processor/5f3c.zip", "resource-based policy"), "Lambda", 403, "AccessDenied"),
                 "not-authorized", None, ["the policy on arn:aws:s3:::kinesis-stack-artifacts"], "The artifact bucket's policy doesn't let the deployer in", "The policy to change is the bucket's.")
    yield create("permission-scp-missing", "Stream", told(allowed(CALLER, "kinesis:CreateStream", STREAM_ARN, "service control policy"), "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, ["service control policy", "AWS organization"], "The organization allows only listed services", "No deny, but no allow either: an allow-list that lacks Kinesis.")
    yield create("permission-vpc-endpoint", "Stream", told(allowed(CALLER, "kinesis:CreateStream", STREAM_ARN, "VPC endpoint policy"), "Kinesis", 400, "AccessDenied"),
                 "not-authorized", None, ["VPC endpoint"], "The endpoint's policy lacks it", "The way the call took forbids it, not who called.")
    yield create("permission-public-policy", "BucketPolicy", told(f"User: {CALLER} is not authorized to perform: s3:PutBucketPolicy on resource: arn:aws:s3:::{BUCKET} because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", "S3", 403, "AccessDenied"),
                 "not-authorized", None, ["block on public access"], "S3 takes the policy for a public one", "A permission would not help: the account's block stands before it.")
    yield update("permission-delivery-role-changed", "Delivery",
                 told(f"User: {DELIVERY_SESSION} is not authorized to perform: lambda:GetFunctionConfiguration on resource: arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor because no identity-based policy allows the lambda:GetFunctionConfiguration action", "Firehose", 400, "AccessDenied"),
                 "not-authorized", None, [DELIVERY_ROLE, "undo what somebody changed"], "Somebody took a permission from the delivery role",
                 "The template gives the role this action, so that it is missing weeks later is a change by hand, not the race.")
    yield delete("permission-delete-bucket", "Bucket", told(f"User: {CI} is not authorized to perform: s3:DeleteBucket on resource: arn:aws:s3:::{BUCKET} because no identity-based policy allows the s3:DeleteBucket action", "S3", 403, "AccessDenied"),
                 "not-authorized", None, ["s3:DeleteBucket", "kinesis-stack down"], "The CI user may create buckets, but not delete them", "What has to be run again is `down`.")
    yield delete("permission-delete-role", "ProcessorRole", f"API: iam:DeleteRolePolicy User: {CI} is not authorized to perform: iam:DeleteRolePolicy on resource: role {PROCESSOR_ROLE}",
                 "not-authorized", None, ["iam:DeleteRolePolicy"], "The CI user may not delete a role's policy", "A role goes only after its policies.")


def denied(principal, action, resource, policy):
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource} with an explicit deny in a {policy}"


def denies():
    yield create("deny-scp-stream", "Stream", told(denied(CALLER, "kinesis:CreateStream", STREAM_ARN, "service control policy"), "Kinesis", 400, "AccessDenied"),
                 "explicit-deny", None, ["service control policy", "whoever runs the organization", "--region", f'"aws:PrincipalArn":"arn:aws:iam::{ACCOUNT}:role/deploy"'], "The organization forbids the region",
                 "Said outright: an explicit deny in an SCP.")
    yield create("deny-scp-with-arn", "Processor", told(denied(CALLER, "lambda:CreateFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor", "service control policy: arn:aws:organizations::999999999999:policy/o-a1b2/service_control_policy/p-c3d4"), "Lambda", 403, "AccessDenied"),
                 "explicit-deny", None, ["lambda:CreateFunction", "p-c3d4"], "The same, with the policy's ARN", "Newer texts name the policy; it stays in AWS' sentence.")
    yield create("deny-scp-role-old-wording", "DeliveryRole", f"API: iam:CreateRole User: {CALLER} is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE} with an explicit deny in a service control policy",
                 "explicit-deny", None, ["iam:CreateRole"], "The organization demands something of new roles", "IAM's older wrapping, the same deny.")
    yield create("deny-boundary", "DeliveryRole", told(denied(CALLER, "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{DELIVERY_ROLE}", "permissions boundary"), "Iam", 403, "AccessDenied"),
                 "explicit-deny", None, ["permissions boundary"], "The deployer's boundary forbids roles", "Platform teams do so, lest somebody makes a stronger role.")
    yield create("deny-identity", "Bucket", told(denied(CI, "s3:CreateBucket", f"arn:aws:s3:::{BUCKET}", "identity-based policy").replace("in a identity", "in an identity"), "S3", 403, "AccessDenied"),
                 "explicit-deny", None, ["adding one changes nothing"], "A policy of the user forbids it", "For instance without MFA; another permission is of no use.", cancelled_first=True)
    yield create("deny-session", "Stream", told(denied(CALLER, "kinesis:CreateStream", STREAM_ARN, "session policy"), "Kinesis", 400, "AccessDenied"),
                 "explicit-deny", None, ["session"], "The session's policy forbids it", "A broker gives out sessions with a deny in them.")
    yield delete("deny-resource-policy", "BucketPolicy", told(denied(CI, "s3:DeleteBucketPolicy", f"arn:aws:s3:::{BUCKET}", "resource-based policy"), "S3", 403, "AccessDenied"),
                 "explicit-deny", None, ["on the resource itself"], "The bucket's policy forbids its own deletion", "Somebody changed the policy by hand; only its writer or the root user gets past it.")
    yield create("deny-rcp", "Bucket", told(denied(CALLER, "s3:CreateBucket", f"arn:aws:s3:::{BUCKET}", "resource control policy"), "S3", 403, "AccessDenied"),
                 "explicit-deny", None, ["resource control policy"], "The organization forbids such buckets", "An RCP is the organization's too, on resources instead of principals.")
    yield create("deny-unsaid", "Processor", told(f"User: {CALLER} is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor with an explicit deny", "Lambda", 403, "AccessDenied"),
                 "explicit-deny", None, ["AWS doesn't name"], "A deny without its place", "That it is a deny is sure; where it stands isn't said, and is not guessed.")
    yield create("kms-log-group", "ProcessorLogGroup", told(f"The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/kinesis-stack/dev/processor'", "CloudWatchLogs", 400, "InvalidRequest"),
                 "kms-denied", "KmsKeyId", ["kms:Decrypt", "log-group:/kinesis-stack/dev/processor"], "CloudWatch Logs may not use the key", "The key's policy has to name the service.")
    yield create("kms-decrypt-of-the-zip", "Processor", told(allowed(CALLER, "kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/6b0e"), "Lambda", 403, "AccessDenied"),
                 "kms-denied", None, ["kms:Decrypt was refused", "key/6b0e"], "The processor's zip is encrypted with a key that the deployer may not use",
                 "The action is KMS's: the key's policy decides as well as the identity's, so it is more than a missing permission.")
    yield create("kms-stream-old-wording", "Stream", old(f"User: {CALLER} may not use the key for the stream", "AmazonKinesis", 400, "KMSAccessDeniedException"),
                 "kms-denied", None, ["kms:GenerateDataKey"], "Kinesis may not use the key", "Only the service's code says that it is about KMS.")
    yield create("kms-environment-of-the-function", "Processor", told("Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant. Please check your KMS key settings. KMS Exception: InvalidArnException KMS Message: ARN does not refer to a valid principal", "Lambda", 400, "InvalidRequest"),
                 "kms-denied", None, ["Check that the key is enabled"], "Lambda's key knows the role only by an id that is gone", "The text names KMS and an invalid key.")


def code():
    yield create("code-no-zip", "Processor", told("Could not unzip uploaded file. Please check your file, then try to upload again.", "Lambda", 400, "InvalidRequest"),
                 "bad-code", "Code", ["--processor", "bootstrap"], "What was given as the processor is no zip", "Lambda says so, and the delivery stream had not begun.")
    yield update("code-no-zip-in-an-update", "Processor", old("Could not unzip uploaded file. Please check your file, then try to upload again.", "AWSLambdaInternal", 400, "InvalidParameterValueException"),
                 "bad-code", "Code", ["--processor"], "The same in an update, in old words", "The stream's and the delivery stream's cancellations follow from it.")
    yield create("code-empty-zip", "Processor", told("Uploaded file must be a non-empty zip", "Lambda", 400, "InvalidRequest"), "bad-code", "Code", ["bootstrap"],
                 "The zip is empty", "A build that produced nothing was packed.")
    yield update("code-too-large", "Processor", told("Unzipped size must be smaller than 262144000 bytes", "Lambda", 400, "InvalidRequest"), "bad-code", "Code", ["250 MB", "release build"],
                 "A debug build with all its symbols", "Lambda's limit for what is unpacked; it is no quota and can't be raised.")
    yield create("code-runtime-ended", "Processor", told("The runtime parameter of provided is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.", "Lambda", 400, "InvalidRequest"),
                 "bad-code", "Runtime", ["provided.al2023"], "The runtime has come to its end", "An old version of this tool meets a newer Lambda.")
    yield create("code-architecture", "Processor", told(f"The architecture arm64 is not supported in {REGION}", "Lambda", 400, "InvalidRequest"), "bad-code", "Runtime",
                 ["--architecture"], "The region has no Graviton", "The sentence names the architecture and the region.")
    yield create("code-gone", "Processor", told("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.", "Lambda", 400, "InvalidRequest"),
                 "code-missing", "Code", [f"kinesis-stack-artifacts-{ACCOUNT}-{REGION}", "uploads the zip anew"], "Somebody deleted the zip between upload and creation", "S3's own code inside Lambda's sentence.", retry=True)
    yield create("code-bucket-gone", "Processor", told("Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist", "Lambda", 400, "NotFound"),
                 "code-missing", "Code", ["uploads the zip anew"], "The artifact bucket is gone", "NotFound is about the artifact bucket, not about a resource of the stack.", retry=True)
    yield update("code-denied-by-s3", "Processor", told(f"Your access has been denied by S3, please make sure your request credentials have permission to GetObject for kinesis-stack-artifacts-{ACCOUNT}-{REGION}/processor/5f3c.zip. S3 Error Code: AccessDenied. S3 Error Message: Access Denied", "Lambda", 403, "AccessDenied"),
                 "code-missing", "Code", ["s3:GetObject", "processor/5f3c.zip"], "The zip is there, but not for the deployer", "A denial, but about the zip: that is what has to be mended.")


def values():
    yield create("value-shards", "Stream", "Properties validation failed for resource Stream with message:\n#/ShardCount: expected type: Number, found: String", "invalid-property", "ShardCount",
                 ["--shards"], "The schema refuses the number of shards", "CloudFormation checks it before it calls Kinesis.")
    yield create("value-buffer-path", "Delivery", said("Model validation failed (#/ExtendedS3DestinationConfiguration/BufferingHints/IntervalInSeconds: 901 is not less or equal to 900)", "InvalidRequest"),
                 "invalid-property", "ExtendedS3DestinationConfiguration.BufferingHints.IntervalInSeconds", ["--buffer-interval"], "The schema refuses a nested property", "The whole path names the property.")
    yield update("value-retention", "Stream", told("1 validation error detected: Value '9000' at 'retentionPeriodHours' failed to satisfy constraint: Member must have value less than or equal to 8760", "Kinesis", 400, "InvalidRequest"),
                 "invalid-property", "RetentionPeriodHours", ["--stream-retention"], "Kinesis refuses the retention", "The service names its own field, which the template spells with a capital.")
    yield create("value-unsupported", "Stream", "Encountered unsupported property MaxRecordSizeInKiB", "invalid-property", "MaxRecordSizeInKiB", ["No option sets it"], "The region's schema is older than the template", "CloudFormation names the property.")
    yield create("value-error-prefix", "Delivery", told("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions", "Firehose", 400, "InvalidRequest"), "invalid-property", "ErrorOutputPrefix",
                 ["No option sets it"], "Firehose misses the error prefix", "The property stands in the sentence.")
    yield update("value-shards-doubled", "Stream", told("UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 1, Target shard count: 4", "Kinesis", 400, "ServiceLimitExceeded"),
                 "shard-step", "ShardCount", ["at most doubles", "--shards"], "From 1 shard to 4 at once", "The code speaks of a limit, but no quota would help: it takes two steps.")
    yield update("value-shards-halved", "Stream", told("UpdateShardCount cannot scale down below half of your current open shard count. Current open shard count: 8, Target shard count: 1", "Kinesis", 400, "InvalidRequest"),
                 "shard-step", "ShardCount", ["halves"], "From 8 shards to 1 at once", "The same rule downwards.")


def state():
    NOT_EMPTY = "The bucket you tried to delete is not empty"
    yield delete("bucket-not-empty", "Bucket", told(NOT_EMPTY, "S3", 409, "GeneralServiceException"), "bucket-not-empty", None, ["kinesis-stack down", "once more"],
                 "Rows came in after the bucket was emptied", "The delivery stream delivers what it holds while it goes.")
    yield delete("bucket-not-empty-old-wording", "Bucket", old(NOT_EMPTY, "Amazon S3", 409, "BucketNotEmpty").replace("Proxy: null", "S3 Extended Request ID: q9w8=; Proxy: null"), "bucket-not-empty", None, ["empties the bucket"],
                 "The same in CloudFormation's old wording", "S3's own code, the same sentence.", out_of_order=True)
    yield create("bucket-not-empty-only-in-the-roll-back", "Delivery", told(ASSUME, "Firehose", 400, "InvalidRequest"), "iam-race", "RoleARN", [DELIVERY_ROLE],
                 "The race, and then a roll-back that can't delete the bucket", "The roll-back's failure comes later and is no cause; what began it is.", retry=True,
                 rollback={"Bucket": told(NOT_EMPTY, "S3", 409, "GeneralServiceException")})
    yield delete("object-lock", "Bucket", told("Access Denied because object protected by object lock.", "S3", 403, "AccessDenied"), "object-lock", None, ["legal hold"],
                 "An object is under a lock", "AccessDenied, but no permission would help before the lock ends.")
    yield update("stack-policy-replace", "Stream", "Action denied by stack policy: Statement [#1] does not allow [Update:Replace] for resource [*]", "stack-policy", None, ["get-stack-policy", "kinesis-stack-dev"],
                 "The stack's policy protects the stream", "It is the stack's policy, not one of IAM.")
    yield update("stack-policy-no-statement", "Bucket", "Action denied by stack policy: No statement found that allows [Update:Modify] for resource [*]", "stack-policy", None, ["set-stack-policy"],
                 "The stack's policy allows nothing about the bucket", "The same cause in its other wording.", changes=["Bucket", "Processor"])
    yield delete("in-use-role-attached", "DeliveryRole", told("Cannot delete entity, must detach all policies first.", "Iam", 409, "GeneralServiceException"), "in-use", None, ["list-attached-role-policies", DELIVERY_ROLE],
                 "Somebody attached a policy to the role", "CloudFormation takes off only what it put on.")
    yield delete("in-use-role-inline", "ProcessorRole", old("Cannot delete entity, must delete policies first.", "AmazonIdentityManagement", 409, "DeleteConflict"), "in-use", None, ["list-role-policies", PROCESSOR_ROLE],
                 "Somebody gave the role an inline policy", "The same for inline policies, in old words.")
    yield delete("in-use-stream-consumers", "Stream", told(f"Stream kinesis-stack-dev under account {ACCOUNT} has registered consumers. Deregister them first.", "Kinesis", 400, "GeneralServiceException"), "in-use", None, ["list-stream-consumers"],
                 "Somebody reads the stream with enhanced fan-out", "A consumer outside the stack holds it.")
    yield delete("in-use-log-group-protected", "ProcessorLogGroup", told("The log group has deletion protection enabled. Disable it before you delete the log group.", "CloudWatchLogs", 400, "InvalidRequest"), "in-use", None, ["/kinesis-stack/dev/processor"],
                 "Somebody protected the log group", "The sentence says what holds it.")
    yield create("busy-bucket-name", "Bucket", told("A conflicting conditional operation is currently in progress against this resource. Please try again.", "S3", 409, "GeneralServiceException"), "busy", None, ["an hour"],
                 "The bucket was deleted a minute ago", "S3 keeps a deleted name blocked for a while.")
    yield create("busy-bucket-name-old-wording", "Bucket", old("A conflicting conditional operation is currently in progress against this resource. Please try again.", "Amazon S3", 409, "OperationAborted"), "busy", None, ["an hour"],
                 "The same in CloudFormation's old wording", "S3's code says it as well.")
    yield delete("busy-log-group", "DeliveryLogGroup", told("A conflicting operation is currently in progress against this resource. Please try again.", "CloudWatchLogs", 400, "ResourceConflict"), "busy", None, ["in a minute"],
                 "Something else is changing the log group", "CloudWatch Logs asks for another try.")
    yield update("busy-stream", "Stream", told(f"Stream kinesis-stack-dev under account {ACCOUNT} not in ACTIVE state, instead in state UPDATING", "Kinesis", 400, "ResourceConflict"), "busy", None, ["the data stream"],
                 "The stream is still changing its shards", "A change by hand a minute earlier isn't over.")
    yield update("busy-function", "Processor", told(f"The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:{REGION}:{ACCOUNT}:function:kinesis-stack-dev-processor", "Lambda", 409, "ResourceConflict"), "busy", None, ["the processor"],
                 "A code upload past CloudFormation isn't over", "Lambda takes one change at a time.")
    yield delete("busy-delivery-stream", "Delivery", told("Delivery stream kinesis-stack-dev cannot be deleted while it is in state CREATING", "Firehose", 400, "InvalidRequest"), "busy", None, ["kinesis-stack down"],
                 "A create was cut short, and Firehose is not done with it", "Firehose deletes nothing that it is still making.")
    yield update("gone-stream", "Stream", told(f"Stream kinesis-stack-dev under account {ACCOUNT} not found.", "Kinesis", 400, "NotFound"), "gone", None, ["deleted outside the stack"],
                 "Somebody deleted the data stream by hand", "CloudFormation still counts on it; an update can't bring it back.")
    yield update("gone-role", "ProcessorRole", told(f"The role with name {PROCESSOR_ROLE} cannot be found.", "Iam", 404, "NotFound"), "gone", None, ["The processor's role"], "Somebody deleted the role by hand",
                 "The same for a role, in IAM's words.", changes=["ProcessorRole", "Processor"])
    yield update("gone-log-group", "DeliveryLogGroup", said("Resource of type 'AWS::Logs::LogGroup' with identifier '/kinesis-stack/dev/delivery' was not found.", "NotFound"), "gone", None, ["log group"], "A clean-up job deleted the log group",
                 "The handler's words for it.", changes=["DeliveryLogGroup", "Processor"])
    yield update("cancelled-by-somebody", "Processor", "Resource update cancelled", "cancelled", None, ["called off"], "Somebody cancelled the update",
                 "Every resource is cancelled and none failed before: there is no other cause.", changes=["Processor", "Stream", "Delivery"], stack_reason="User Initiated")


def service():
    yield create("throttled-lambda", "Processor", told("Rate exceeded", "Lambda", 429, "Throttling"), "throttled", None, ["fewer deployments"], "Lambda throttles the account", "Many pull requests deploy at once.")
    yield create("throttled-kinesis", "Stream", told(f"Rate exceeded for stream kinesis-stack-dev under account {ACCOUNT}.", "Kinesis", 400, "Throttling"), "throttled", None, ["few minutes"], "Kinesis throttles the account", "The same from Kinesis.")
    yield update("throttled-iam-old-wording", "DeliveryRole", old("Rate exceeded", "AmazonIdentityManagement", 400, "Throttling"), "throttled", None, ["throttling"], "IAM throttles the account", "Old wrapping, the same two words.", changes=["DeliveryRole", "Processor"])
    yield delete("throttled-logs", "ProcessorLogGroup", told("Too Many Requests", "CloudWatchLogs", 429, "GeneralServiceException"), "throttled", None, ["kinesis-stack down"], "CloudWatch Logs throttles the account", "A vaguer code, a clear sentence.")
    yield create("late-delivery-stream", "Delivery", said("Exceeded attempts to wait", "NotStabilized"), "not-stabilized", None, ["was not ready in the time"], "Firehose takes too long", "The handler gave up waiting, and says so.", at=109.0)
    yield create("late-delivery-stream-identifier", "Delivery", said("Resource of type 'AWS::KinesisFirehose::DeliveryStream' with identifier 'kinesis-stack-dev' did not stabilize.", "NotStabilized"), "not-stabilized", None, ["Run `kinesis-stack up` again"], "The same in the handler's other words", "What it waited for is named, why it took so long isn't.", at=109.0)
    yield create("late-bucket-old-wording", "Bucket", f"Bucket {BUCKET} did not stabilize", "not-stabilized", None, ["The bucket was not ready"], "A bucket takes too long", "Older words for the same.")
    yield delete("late-deletion", "Delivery", said("Resource timed out waiting for completion", "NotStabilized"), "not-stabilized", None, ["kinesis-stack down"], "Firehose takes too long to go", "A deletion that wasn't over in time.")
    yield create("failure-firehose", "Delivery", told("Internal service error", "Firehose", 500, "ServiceInternalError"), "service-failure", None, ["on AWS' side"], "Firehose fails", "Status 500 and the handler's code say whose fault it is.")
    yield create("failure-internal", "Stream", "Internal Failure", "service-failure", None, ["Nothing is wrong with the request"], "CloudFormation fails inside", "Two words that CloudFormation keeps for itself.")
    yield create("failure-downstream", "Bucket", said("Internal error reported from downstream service during operation 'AWS::S3::Bucket'.", "InternalFailure"), "service-failure", None, ["AWS Health Dashboard"], "A service behind S3's handler fails", "InternalFailure is never the request's fault.")
    yield update("failure-unavailable", "Processor", told("Service is temporarily unavailable", "Lambda", 503, "GeneralServiceException"), "service-failure", None, ["few minutes"], "Lambda is down", "A status of 503, whatever the sentence.")
    yield create("failure-network", "Processor", said("Unable to execute HTTP request: Read timed out", "NetworkFailure"), "service-failure", None, ["the processor"], "The handler can't reach Lambda", "A network failure between AWS and AWS.")
    yield create("hook-refused", "Bucket", "The following hook(s) failed: [Acme::Security::BucketLogging]", "hook-refused", None, ["hook"], "A hook of the organization refuses the bucket", "The stack's own rules are fine; the account has others.")
    yield create("hook-refused-with-message", "Delivery", "Hook failed with message: Template failed validation, the following rule(s) failed: firehose_must_be_encrypted.", "hook-refused", None, ["which rule"], "A Guard hook refuses the delivery stream", "The sentence names the rule.")
    yield create("account-without-subscription", "Stream", told("The AWS Access Key Id needs a subscription for the service", "Kinesis", 400, "GeneralServiceException"), "account-not-ready", None, ["24 hours"], "A new account that isn't ready", "AWS' way to say that the account's sign-up isn't done.")
    yield create("expired-create", "Delivery", told("The security token included in the request is expired", "Firehose", 400, "InvalidRequest"), "credentials-expired", None, ["aws sso login"], "The session ended while the stack was made", "Expired, not invalid: that is no race.")
    yield delete("expired-delete", "Bucket", told("The provided token has expired.", "S3", 400, "GeneralServiceException"), "credentials-expired", None, ["kinesis-stack down"], "The session ended while the stack was deleted", "S3's own words for the same.")
    yield update("expired-old-wording", "Processor", old("The security token included in the request is expired", "AWSLambdaInternal", 403, "ExpiredTokenException"), "credentials-expired", None, ["Renew the credentials"], "The session ended during an update", "Old wrapping, the same sentence.")


def unknown():
    look = ["aws cloudformation describe-stack-events --stack-name kinesis-stack-dev"]
    yield create("unknown-sentence", "Delivery", told("The delivery stream's configuration could not be applied", "Firehose", 400, "InvalidRequest"), "unknown", None, look, "A sentence nobody has seen", "It names neither property nor permission nor quota.")
    yield create("unknown-limit-in-passing", "Stream", told("The stream could not be created within the limits of the current mode", "Kinesis", 400, "InvalidRequest"), "unknown", None, look, "A sentence with the word limit in it", "No quota is named: a word alone is no cause.")
    yield create("unknown-role-in-passing", "Processor", told("The role provided is not usable for this configuration", "Lambda", 400, "InvalidRequest"), "unknown", None, look, "A sentence about a role that is not the race", "Only four texts are the race; this might be a wrong trust policy, and a second try might hide it.")
    yield create("unknown-assume-by-another-service", "Bucket", told("Service is unable to assume role for replication", "S3", 400, "InvalidRequest"), "unknown", None, look, "Another service's role text", "It resembles Firehose's, but the bucket takes on no role of this stack.")
    yield create("unknown-key-in-passing", "Bucket", told("The lifecycle key filter is not well-formed", "S3", 400, "InvalidRequest"), "unknown", None, look, "A sentence about another kind of key", "A lifecycle rule is meant, no key of KMS.")
    yield update("unknown-update", "Stream", told("The requested change is not possible in the stream's present mode", "Kinesis", 400, "InvalidRequest"), "unknown", None, look, "An update that Kinesis refuses for a reason of its own", "Nothing in it is known for sure.")
    yield update("unknown-replacement", "Delivery", "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename kinesis-stack-dev and update the stack again.", "unknown", None, look, "A replacement under a fixed name", "A cause that has no words here yet: AWS' own sentence is clear enough.")
    yield delete("unknown-delete", "Delivery", told("The delivery stream could not be removed", "Firehose", 400, "GeneralServiceException"), "unknown", None, look, "A deletion that fails without a reason", "GeneralServiceException says nothing.")
    yield create("unknown-handler-code", "Stream", said("Stream policy was rejected", "NotUpdatable"), "unknown", None, look, "A handler code of another kind", "NotUpdatable is about the template's schema, and tells nothing about this stream.")
    yield create("unknown-first-known-later", "Bucket", told("The bucket could not be configured", "S3", 400, "InvalidRequest"), "unknown", None, look, "An unknown failure, and a known one after the cancelling",
                 "The quota failure comes after CloudFormation had begun to roll back: it followed, whatever it says.",
                 also=[("Stream", told(f"This request would exceed the shard limit for the account {ACCOUNT} in {REGION}. Current shard count for the account: 200. Limit: 200.", "Kinesis", 400, "ServiceLimitExceeded"), 9.0)])
    yield create("unknown-without-a-sentence", "DeliveryRole", "", "unknown", None, look, "A resource that fails and says nothing", "An empty reason is a failure all the same, and no reason to name another.")
    yield create("unknown-not-found-of-something", "Processor", told("The layer to use was not located", "Lambda", 400, "NotFound"), "unknown", None, look, "Something else isn't there", "NotFound without the words that say what is gone: it is not the stack's own resource for sure.")
