//! SDK errors, mapped once: an AWS error's code to one of `shared`'s seven kinds, its words
//! kept, and what a person can do about it.
//!
//! *Unknown after a write means look again, never assume*: everything that leaves open
//! whether the call had its effect (no answer, an unreadable one, a 5xx) is `Unknown`.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use windlass_shared::facts::{FailureKind, Unreadable};

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Failure {
    /// The IAM action: `ecs:UpdateService`.
    pub action: &'static str,
    /// Which sort.
    pub kind: FailureKind,
    /// AWS's code; `None` where no answer came.
    pub code: Option<String>,
    /// AWS's words.
    pub message: String,
}

impl Failure {
    /// Maps an SDK's error. `action` is the IAM action of the call.
    pub fn new<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(answered) = error else {
            let message = chain(error);
            // Never sent, because the input makes no request.
            let kind = match error {
                SdkError::ConstructionFailure(_) => FailureKind::Invalid,
                _ => FailureKind::Unknown,
            };
            return Self { action, kind, code: None, message };
        };
        let meta = answered.err().meta();
        let mut failure = Self::of_code(action, meta.code(), meta.message().unwrap_or("(no message)"));
        // Whatever its code: AWS's side broke, so the effect is open. Some throttles are 503s.
        if answered.raw().status().is_server_error() && failure.kind != FailureKind::Throttled {
            failure.kind = FailureKind::Unknown;
        }
        failure
    }

    /// An error by its code and words: of an SDK, or of one item of a batch.
    pub fn of_code(action: &'static str, code: Option<&str>, message: &str) -> Self {
        let kind = code.map_or(FailureKind::Unknown, |code| kind(code, message));
        Self { action, kind, code: code.map(str::to_owned), message: message.to_owned() }
    }

    /// Whether it has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What a person can do about it, where that is known.
    pub fn next_step(&self) -> Option<String> {
        match self.kind {
            FailureKind::Denied if self.is_about_credentials() => {
                Some("renew the credentials that this runs with".to_owned())
            }
            FailureKind::Denied => Some(self.what_to_allow()),
            FailureKind::Limit => {
                Some("raise the quota in Service Quotas, or free what is unused".to_owned())
            }
            FailureKind::Throttled => Some("nothing: the next pass tries again".to_owned()),
            FailureKind::Conflict | FailureKind::NotFound | FailureKind::Invalid | FailureKind::Unknown => {
                None
            }
        }
    }

    /// A call may be denied another action than its own: handing a role on, tagging what it makes.
    fn what_to_allow(&self) -> String {
        let said = self.message.split_once("to perform: ").map_or("", |(_, said)| said);
        let action = said.split_whitespace().next().unwrap_or(self.action);
        let resource = said.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
        // Which roles tasks may be given the stack's owner says.
        let to_tasks = ["ecs:RegisterTaskDefinition", "ecs:RunTask"].contains(&self.action);
        match (action, resource, resource.and_then(cluster_of)) {
            ("iam:PassRole", Some(role), _) if to_tasks => format!(
                "add {role} to the stack's parameter PassRoleArns, or name one of its roles in the spec"
            ),
            (action, _, Some(cluster)) => format!(
                "allow {action} for the role that this runs with: a stack's are confined to its ClusterNames, so correct \
                 the cluster's name in the spec, or add cluster {cluster} to them"
            ),
            (action, Some(resource), None)
                if let Some((repository, account)) = elsewhere(&self.message, resource) =>
            {
                format!(
                    "let this account {action} in account {account}: set the policy of its repository {repository} as \
                     docs/accounts.md shows"
                )
            }
            _ => format!("allow {action} for the role that this runs with"),
        }
    }

    /// The failure with its next step, in one line.
    pub fn with_next_step(&self) -> String {
        match self.next_step() {
            Some(next) => format!("{self} (next: {next})"),
            None => self.to_string(),
        }
    }

    /// As the reason why a fact could not be read.
    pub fn into_unreadable(self, doing: impl Into<String>) -> Unreadable {
        Unreadable { doing: doing.into(), kind: self.kind, detail: self.with_next_step() }
    }

    fn is_about_credentials(&self) -> bool {
        self.code.as_deref().is_some_and(|code| CREDENTIALS.contains(&code))
    }

    fn words(&self) -> String {
        match &self.code {
            Some(code) => format!("{}: {code}: {}", self.action, self.message),
            None => format!("{}: no answer: {}", self.action, self.message),
        }
    }
}

/// The repository and the account of an ECR ARN, where the repository's policy is what is missing: it is of
/// another account than the caller.
fn elsewhere<'m>(message: &'m str, resource: &'m str) -> Option<(&'m str, &'m str)> {
    let repository = resource.split(':').nth(5).filter(|_| resource.contains(":ecr:"))?;
    let caller = message.split_once("User: ").and_then(|(_, who)| who.split(':').nth(4));
    let account = resource.split(':').nth(4)?;
    let own_role_lacks_it = message.contains("no identity-based policy");
    (caller != Some(account) && !own_role_lacks_it)
        .then(|| Some((repository.strip_prefix("repository/")?, account)))?
}

/// The cluster that an ECS ARN says: `…:service/<cluster>/<service>`.
fn cluster_of(arn: &str) -> Option<&str> {
    let mut path = arn.split(':').nth(5).filter(|_| arn.contains(":ecs:"))?.split('/');
    let kind = path.next()?;
    (!kind.starts_with("task-definition") && kind != "capacity-provider").then(|| path.next())?
}

/// An error's words down to its first cause, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if words.last().is_none_or(|said| !said.contains(&more)) {
            words.push(more);
        }
        cause = error.source();
    }
    words.join(": ")
}

/// Every code by which AWS's services say "slower" (the SDKs' own list, and EC2's).
const THROTTLED: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException.Throttled",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The caller is not known, rather than not allowed.
const CREDENTIALS: [&str; 9] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const DENIED: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "BlockedException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OperationNotPermitted",
    "UnauthorizedOperation",
];

/// The world is not as the call supposes, or a name is taken.
const CONFLICT: [&str; 13] = [
    "ConditionalCheckFailedException",
    "ConflictException",
    "DuplicateTargetGroupName",
    "ParameterAlreadyExists",
    "PriorityInUse",
    "ResourceConflictException",
    "ResourceInUse",
    "ResourceInUseException",
    "ServiceNotActiveException",
    "TargetGroupAssociationLimit",
    "TransactionCanceledException",
    "TransactionConflictException",
    "UpdateInProgressException",
];

/// AWS's own faults that some services answer with a 4xx envelope or without a status.
const SERVER: [&str; 7] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "ServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

fn kind(code: &str, message: &str) -> FailureKind {
    // awsJson codes may carry a namespace: `com.amazonaws.ecs#ClientException`.
    let code = code.rsplit('#').next().unwrap_or(code);
    match code {
        _ if THROTTLED.contains(&code) => FailureKind::Throttled,
        _ if CREDENTIALS.contains(&code) || DENIED.contains(&code) => FailureKind::Denied,
        _ if CONFLICT.contains(&code) => FailureKind::Conflict,
        _ if SERVER.contains(&code) => FailureKind::Unknown,
        // ECS has no code of its own for these two.
        "ClientException" if message.contains("Unable to describe task definition") => FailureKind::NotFound,
        "InvalidParameterException" if message.contains("not idempotent") => FailureKind::Conflict,
        _ if code.ends_with("NotFound") || code.ends_with("NotFoundException") => FailureKind::NotFound,
        _ if code.starts_with("TooMany")
            || code.contains("LimitExceeded")
            || code.contains("QuotaExceeded") =>
        {
            FailureKind::Limit
        }
        _ => FailureKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::operation::update_service::UpdateServiceError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn failure(code: &str, message: &str) -> Failure {
        Failure::of_code("ecs:UpdateService", Some(code), message)
    }

    #[test]
    fn codes_are_told_apart() {
        for (code, message, expected) in [
            ("ThrottlingException", "Rate exceeded", FailureKind::Throttled),
            ("RequestLimitExceeded", "", FailureKind::Throttled),
            ("TooManyRequestsException", "", FailureKind::Throttled),
            ("TooManyRules", "", FailureKind::Limit),
            ("LimitExceededException", "", FailureKind::Limit),
            ("PriorityInUse", "", FailureKind::Conflict),
            ("ConditionalCheckFailedException", "", FailureKind::Conflict),
            ("InvalidParameterException", "Creation of service was not idempotent.", FailureKind::Conflict),
            ("InvalidParameterException", "TaskDefinition is inactive", FailureKind::Invalid),
            ("ClientException", "Unable to describe task definition.", FailureKind::NotFound),
            ("ClientException", "Container.image should not be null", FailureKind::Invalid),
            ("ParameterNotFound", "", FailureKind::NotFound),
            ("com.amazonaws.ecs#ClusterNotFoundException", "", FailureKind::NotFound),
            ("AccessDeniedException", "", FailureKind::Denied),
            ("ExpiredTokenException", "", FailureKind::Denied),
            ("ServerException", "", FailureKind::Unknown),
        ] {
            assert_eq!(failure(code, message).kind, expected, "{code}: {message}");
        }
    }

    #[test]
    fn a_denied_call_says_what_to_allow_and_old_credentials_what_to_renew() {
        let denied =
            failure("AccessDeniedException", "User: x is not authorized to perform: ecs:UpdateService");
        assert_eq!(
            denied.with_next_step(),
            "ecs:UpdateService: AccessDeniedException: User: x is not authorized to perform: ecs:UpdateService \
             (next: allow ecs:UpdateService for the role that this runs with)"
        );
        let role = Failure::of_code(
            "ecs:RegisterTaskDefinition",
            Some("AccessDeniedException"),
            "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/a because no \
             identity-based policy allows the iam:PassRole action",
        );
        let next = "add arn:aws:iam::1:role/a to the stack's parameter PassRoleArns, or name one of its roles in the spec";
        assert_eq!(role.next_step().as_deref(), Some(next));
        let next = Failure::of_code(
            "ecr:DescribeImages",
            Some("AccessDeniedException"),
            "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: ecr:DescribeImages on \
             resource: arn:aws:ecr:eu-central-1:111122223333:repository/team/shop because no resource-based policy \
             allows the ecr:DescribeImages action",
        );
        assert_eq!(
            next.next_step().as_deref(),
            Some(
                "let this account ecr:DescribeImages in account 111122223333: set the policy of its repository \
                 team/shop as docs/accounts.md shows"
            )
        );
        let elsewhere = "User: x is not authorized to perform: ecs:UpdateService on resource: \
                         arn:aws:ecs:eu-central-1:1:service/mian/shop because";
        let next = failure("AccessDeniedException", elsewhere).next_step().unwrap_or_default();
        assert!(
            next.contains("correct the cluster's name in the spec, or add cluster mian to them"),
            "{next}"
        );
        assert!(failure("ExpiredToken", "x").with_next_step().contains("renew the credentials"));
    }

    fn sdk(error: &SdkError<UpdateServiceError, HttpResponse>) -> Failure {
        Failure::new("ecs:UpdateService", error)
    }

    #[test]
    fn an_answered_error_keeps_its_code_and_words() {
        let meta =
            ErrorMetadata::builder().code("ServiceNotFoundException").message("Service not found.").build();
        let raw = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
        let mapped = sdk(&SdkError::service_error(UpdateServiceError::generic(meta), raw));
        assert_eq!(mapped.kind, FailureKind::NotFound);
        assert_eq!(mapped.to_string(), "ecs:UpdateService: ServiceNotFoundException: Service not found.");
    }

    #[test]
    fn no_answer_and_an_unreadable_one_leave_the_effect_open() {
        assert_eq!(sdk(&SdkError::timeout_error("10s")).kind, FailureKind::Unknown);
        let raw = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
        assert_eq!(sdk(&SdkError::response_error("cut", raw)).kind, FailureKind::Unknown);
        assert_eq!(sdk(&SdkError::construction_failure("no name")).kind, FailureKind::Invalid);
    }

    #[test]
    fn a_5xx_is_unknown_whatever_its_code_but_a_throttle() {
        for (code, expected) in [
            ("Odd", FailureKind::Unknown),
            ("SlowDown", FailureKind::Throttled),
            ("NotFound", FailureKind::Unknown),
        ] {
            let raw = HttpResponse::new(503.try_into().unwrap(), SdkBody::empty());
            let error = UpdateServiceError::generic(ErrorMetadata::builder().code(code).build());
            assert_eq!(sdk(&SdkError::service_error(error, raw)).kind, expected, "{code}");
        }
    }
}
