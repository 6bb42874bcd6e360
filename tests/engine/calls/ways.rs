//! What each verb calls, and why none of it can go.

/// A round trip: calls that are under way at once, and why it can't go.
pub type Trip = (&'static [&'static str], &'static str);

/// What a verb does in an account that takes no time: each look that finds something still under way is one more.
pub struct Way {
    pub verb: &'static str,
    pub when: &'static str,
    pub trips: &'static [Trip],
}

const WHO: &str = "The account's number is part of the artifact bucket's name, the caller's ARN is the owner's tag, \
and the stack's state decides everything else. The processor is read or compiled meanwhile.";
const TOLD: &str = "What it would do is known to CloudFormation alone, once it has made the change set.";
const WITHDRAWN: &str = "A change set that isn't executed leaves no trace.";
const BEGUN: &str = "What came before can't be told from what this begins, unless it was read before. Only with new \
code: whoever made the artifact bucket may have been cut short before it was private.";
const FIRST: &str = "The first look, after 0.02 s: an emulator is done by then. AWS takes a minute, with a look every \
two seconds once the end is near.";
const LAST: &str = "The outputs are known now. The events once more, since a cause can come later than the stack's \
own last event.";

/// What the end of a deletion asks at once: each service, and the artifacts with the stacks that use them.
const ASKED: &[&str] = &[
    "HeadBucket",
    "DescribeStreamSummary",
    "DescribeDeliveryStream",
    "GetFunctionConfiguration",
    "GetRole",
    "GetRole",
    "DescribeLogGroups",
    "DescribeLogGroups",
    "DescribeStacks",
    "GetResources",
    "DescribeStacks",
    "ListObjectVersions",
];
const LEFT: &str = "That nothing is left is asked of each service, and the artifacts are listed meanwhile. The other \
environment uses the same zip: it stays.";
const SOFAR: &str = "What came before can't be told from what this begins, unless it was read before.";

/// In the order in which they are tried.
pub const WAYS: &[Way] = &[
    Way {
        verb: "up",
        when: "that creates, with code that was never uploaded",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadObject", "HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (
                &["PutPublicAccessBlock"],
                "Asked first, since it tells as well whether the artifact bucket is there.",
            ),
            (&["CreateBucket"], "Only once in the life of an account and region."),
            (&["PutPublicAccessBlock"], "The bucket is private before anything lies in it."),
            (&["PutObject"], "Not before the plan is agreed to: a plan that is refused leaves no trace."),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "that creates, with code that is there already",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadObject", "HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "that updates",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["CreateChangeSet", "HeadObject"], "Whether the code was uploaded already is asked meanwhile."),
            (&["DescribeChangeSet"], TOLD),
            (&["DescribeStackEvents", "PutPublicAccessBlock"], BEGUN),
            (&["PutObject"], "Only with new code, and not before the plan is agreed to."),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "with nothing to change",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (
                &["CreateChangeSet", "HeadObject"],
                "That nothing would change is CloudFormation's word, not ours.",
            ),
            (&["DescribeChangeSet"], TOLD),
            (&["DeleteChangeSet"], WITHDRAWN),
        ],
    },
    Way {
        verb: "up --code-only",
        when: "with new code",
        trips: &[
            (
                &["GetCallerIdentity", "DescribeStacks", "GetFunctionConfiguration"],
                "Only an ephemeral stack is changed past CloudFormation; what the function runs is asked meanwhile.",
            ),
            (&["HeadObject"], "The bucket's name holds the account's number."),
            (&["PutPublicAccessBlock"], "Whoever made the bucket may have been cut short."),
            (
                &["PutObject"],
                "UpdateFunctionCode could carry the zip itself, but then the next `up` would not find it.",
            ),
            (&["UpdateFunctionCode"], "What it is about."),
            (&["GetFunctionConfiguration"], "It returns before the function runs the code."),
        ],
    },
    Way {
        verb: "plan",
        when: "of a creation",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (
                &["DeleteChangeSet", "DescribeStacks"],
                "A change set that isn't executed leaves no trace. Whether the stack is still no more than a name is \
                 asked meanwhile: somebody may have been quicker.",
            ),
            (
                &["DeleteStack"],
                "The change set gave the stack its name; nothing is to be left of that either.",
            ),
        ],
    },
    Way {
        verb: "plan",
        when: "of an update",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["CreateChangeSet"], "A plan is CloudFormation's own."),
            (&["DescribeChangeSet"], TOLD),
            (&["DeleteChangeSet"], WITHDRAWN),
        ],
    },
    Way {
        verb: "status",
        when: "",
        trips: &[(
            &["DescribeStacks", "ListStackResources", "GetFunctionConfiguration"],
            "All three are asked by name.",
        )],
    },
    Way {
        verb: "list",
        when: "",
        trips: &[(
            &["DescribeStacks", "GetResources"],
            "Stacks tell their tags, so that one call a page tells all environments. Buckets whose stack is gone are asked \
             for meanwhile, by their tags.",
        )],
    },
    Way {
        verb: "extend",
        when: "",
        trips: &[
            (
                &["DescribeStacks"],
                "What is left of its time is added to; somebody may be at work on the stack.",
            ),
            (&["DescribeStackEvents"], SOFAR),
            (
                &["UpdateStack"],
                "What it is about. Nothing is planned: the template stays, and one tag changes.",
            ),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "down",
        when: "with --yes, of the account's last environment",
        trips: &[
            (
                &["GetCallerIdentity", "DescribeStacks", "ListStackResources", "DescribeStackEvents"],
                "The account's number is part of the bucket's name. The stack tells whether it is ours and \
                 unprotected; its resources are what is shown before anything is deleted; its events so far are \
                 what this deletion's are told from.",
            ),
            (
                &["GetBucketTagging"],
                "Whether its bucket was marked as kept before: such a mark is an older one.",
            ),
            (
                &["DeleteStack"],
                "What it is about. Alone: a stack that can't be deleted after all keeps its data.",
            ),
            (
                &["DescribeStackEvents", "GetBucketTagging"],
                "The first look, after 0.02 s. The bucket is emptied meanwhile, unless somebody has just begun to keep it.",
            ),
            (
                &["DescribeStacks", "DescribeStackEvents", "ListObjectVersions"],
                "That it is gone is told by the stack; what was kept, by the events.",
            ),
            (&["ListMultipartUploads"], "Unfinished uploads are no objects, but are billed."),
            (&["GetBucketTagging"], "Somebody else's `down --keep-data` may have marked it meanwhile."),
            (&["DeleteBucket"], "Last, since a dying delivery stream still writes into it."),
            (
                ASKED,
                "That nothing is left is asked of each service, by name and by tag: a deleted stack can leave what it \
                 was told to keep and what a function writes after its end. The artifacts, and the stacks that use \
                 them, are listed meanwhile.",
            ),
            (&["DeleteObjects"], "Zips that no environment uses any more. Not where all are in use."),
            (
                &["DeleteBucket"],
                "The artifact bucket goes with the account's last environment, and not before.",
            ),
        ],
    },
    Way {
        verb: "down --keep-data",
        when: "of one of two environments",
        trips: &[
            (
                &["GetCallerIdentity", "DescribeStacks", "ListStackResources", "DescribeStackEvents"],
                "As without `--keep-data`.",
            ),
            (&["ListObjectVersions"], "What is in the bucket is compared at the end."),
            (&["GetTemplate"], "A stack whose own template lets the bucket go with it is refused."),
            (&["GetBucketTagging"], "S3 takes all of a bucket's tags or none."),
            (
                &["PutBucketTagging"],
                "Marked as kept before anything goes: a `reap` beside it leaves the bucket alone.",
            ),
            (&["DeleteStack"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (
                &["DescribeStacks", "DescribeStackEvents"],
                "That it is gone is told by the stack; what was kept, by the events.",
            ),
            (ASKED, LEFT),
            (
                &["ListObjectVersions"],
                "Whether all is still there: somebody else may have begun to empty it before.",
            ),
        ],
    },
    Way {
        verb: "reap",
        when: "of one of two environments, which holds rows",
        trips: &[
            (&["DescribeStacks", "GetResources"], "As `list`: what is due is told by tags."),
            (&["DescribeStacks"], "Somebody may have extended or protected it since."),
            (&["GetCallerIdentity"], "The account's number is part of the bucket's name."),
            (&["GetBucketTagging"], "A bucket that a `down --keep-data` was to keep isn't reaped."),
            (
                &["DescribeStacks", "GetCallerIdentity", "ListStackResources", "DescribeStackEvents"],
                "From here on it is a `down`: once more right before the deletion, since what is no longer due stays.",
            ),
            (&["DeleteStack"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (
                &["DescribeStacks", "DescribeStackEvents"],
                "That it is gone is told by the stack; what was kept, by the events.",
            ),
            (
                &["GetBucketTagging"],
                "Somebody else's `down --keep-data` may have deleted the very same stack: then its bucket stays.",
            ),
            (
                &["DeleteBucket"],
                "One that is empty is gone with that. Not before the stack is: until then somebody could still keep the data.",
            ),
            (&["ListObjectVersions"], "It held something."),
            (
                &["DeleteObjects", "ListMultipartUploads"],
                "Unfinished uploads are no objects, but are billed.",
            ),
            (&["DeleteBucket"], "Now it is empty."),
            (ASKED, LEFT),
        ],
    },
    Way {
        verb: "reaper up",
        when: "that creates, in an account without artifacts",
        trips: &[
            (&["GetCallerIdentity"], "The account's number is part of the artifact bucket's name."),
            (&["DescribeStacks"], "Its state decides everything else."),
            (&["HeadObject"], "Whether this program was uploaded already."),
            (
                &["PutPublicAccessBlock"],
                "Asked first, since it tells as well whether the artifact bucket is there.",
            ),
            (&["CreateBucket"], "Only once in the life of an account and region."),
            (&["PutPublicAccessBlock"], "The bucket is private before anything lies in it."),
            (&["PutObject"], "The function's code is read from there."),
            (
                &["CreateStack"],
                "What it is about. Nothing is planned: the stack holds nothing that could be lost.",
            ),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "reaper up",
        when: "with another program",
        trips: &[
            (&["GetCallerIdentity"], "The account's number is part of the artifact bucket's name."),
            (&["DescribeStacks"], "Its state decides everything else."),
            (&["HeadObject"], "Whether this program was uploaded already."),
            (&["PutPublicAccessBlock"], "Whoever made the bucket may have been cut short."),
            (&["PutObject"], "The function's code is read from there."),
            (&["DescribeStackEvents"], SOFAR),
            (&["UpdateStack"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
            (
                &["DescribeStacks", "ListObjectVersions"],
                "Whether anybody still uses the program that it ran before.",
            ),
            (&["DeleteObjects"], "Nobody does."),
        ],
    },
    Way {
        verb: "reaper status",
        when: "",
        trips: &[(&["DescribeStacks", "FilterLogEvents"], "What it is, and what its last runs came to.")],
    },
    Way {
        verb: "reaper down",
        when: "of the last that has artifacts",
        trips: &[
            (&["GetCallerIdentity"], "The account's number is part of the artifact bucket's name."),
            (&["DescribeStacks"], "Whether it is the reaper's, and at rest."),
            (&["DescribeStackEvents"], SOFAR),
            (&["DeleteStack"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], "That it is gone is told by the stack."),
            (&["DescribeStacks", "ListObjectVersions"], "Whether anybody uses its program, or any other."),
            (&["DeleteObjects"], "Nobody does."),
            (&["DeleteBucket"], "The artifact bucket goes with the last that lies in it."),
        ],
    },
];

const CHECKED: &str = "A bucket of that name makes the creation fail after a minute, and an empty one that an earlier \
roll-back left is removed first: both before the change set, which CloudFormation holds against the names that are \
taken, and which would give the stack its name already. Whether the quotas of shards and roles leave room is asked \
meanwhile.";
const PLANNED: &str = "The plan is CloudFormation's own, and nothing is changed before it is agreed to.";

/// What iidy takes to create a stack and to delete it.
pub const IIDY: usize = 17;

/// What is called beyond that, and why.
pub const MORE: &[Trip] = &[
    (
        &["GetCallerIdentity", "GetCallerIdentity"],
        "Bucket names are global, so that ours hold the account's number; every call on a bucket names the account \
         that has to own it; the stack bears its maker's name.",
    ),
    (&["HeadObject"], "The processor is uploaded once for each version of its code, not with each `up`."),
    (
        &["HeadBucket"],
        "A bucket that stands in the way is told, or removed where it is ours and empty, in a second \
     instead of after a minute and a roll-back.",
    ),
    (
        &["DescribeLimits", "GetAccountSummary"],
        "A quota that would make the creation fail after a minute is told before it begins.",
    ),
    (
        &["CreateChangeSet", "DescribeChangeSet"],
        "Two more than CreateStack: the plan is shown and agreed to before anything is changed.",
    ),
    (
        &["ListObjectVersions", "ListMultipartUploads", "DeleteBucket"],
        "CloudFormation can't delete a bucket that holds anything, and a dying delivery stream still writes into it.",
    ),
    (
        &["GetBucketTagging", "GetBucketTagging", "GetBucketTagging"],
        "What somebody keeps at the same time (`down --keep-data`) isn't deleted.",
    ),
    (
        // But for the last two, which are the artifacts'.
        ASKED.split_at(10).0,
        "That nothing is left, and nothing is billed, is asked and not assumed: one round trip.",
    ),
    (
        &["DescribeStacks", "ListObjectVersions", "DeleteObjects", "DeleteBucket"],
        "The zips that no environment uses any more go, and with the last environment their bucket: iidy has none.",
    ),
];
