//! The seam for faults: a function asked at every call, and ready ones.

use std::time::Duration;

use crate::call::{ApiError, Call, ServiceId};
use crate::time::Time;

/// Asked at every call what goes wrong with it.
pub type Faults = Box<dyn FnMut(&Call, &Seen) -> Fault + Send>;

/// What a fault may know beside the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The call's number in this world: 1 for the first.
    pub index: u64,
    /// The virtual instant.
    pub now: Time,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It is refused before its effect.
    RefuseBefore(ApiError),
    /// It takes effect, and the caller hears an error.
    FailAfter(ApiError),
    /// The connection is cut before the effect.
    DropBefore,
    /// It takes effect, and the connection is cut.
    DropAfter,
    /// It takes effect; its reply is this late.
    Delay(Duration),
}

/// Before a call's effect, or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// The call has no effect.
    Before,
    /// The call has its effect, which the caller does not hear of.
    After,
}

/// Nothing goes wrong.
pub fn none() -> Faults {
    Box::new(|_, _| Fault::None)
}

/// The next `n` calls are throttled.
pub fn throttle_next(n: u64) -> Faults {
    let mut left = n;
    Box::new(move |call, _| {
        if left == 0 {
            return Fault::None;
        }
        left -= 1;
        Fault::RefuseBefore(super::throttle::error(call.service))
    })
}

/// The `n`th call from now (1: the next) fails on AWS's side, before or after its effect.
pub fn fail_nth_call(n: u64, when: When) -> Faults {
    nth(n, move |call| match when {
        When::Before => Fault::RefuseBefore(internal(call.service)),
        When::After => Fault::FailAfter(internal(call.service)),
    })
}

/// The connection of the `n`th call from now is cut, before or after its effect.
pub fn drop_nth_call(n: u64, when: When) -> Faults {
    nth(n, move |_| match when {
        When::Before => Fault::DropBefore,
        When::After => Fault::DropAfter,
    })
}

/// Every call of one operation is refused with `error`.
pub fn refuse(service: ServiceId, operation: &str, error: ApiError) -> Faults {
    let operation = operation.to_owned();
    Box::new(move |call, _| {
        if call.service == service && call.operation == operation {
            Fault::RefuseBefore(error.clone())
        } else {
            Fault::None
        }
    })
}

fn nth(n: u64, fault: impl Fn(&Call) -> Fault + Send + 'static) -> Faults {
    let mut count = 0;
    Box::new(move |call, _| {
        count += 1;
        if count == n { fault(call) } else { Fault::None }
    })
}

/// AWS's own failure, by the code that the service has for it.
pub fn internal(service: ServiceId) -> ApiError {
    let code = match service {
        ServiceId::Ecs | ServiceId::Ecr => "ServerException",
        ServiceId::ElasticLoadBalancing | ServiceId::AutoScaling | ServiceId::Sts => "InternalFailure",
        ServiceId::Ssm | ServiceId::DynamoDb => "InternalServerError",
        ServiceId::Events => "InternalException",
        ServiceId::Lambda => "ServiceException",
        ServiceId::CloudWatch => "InternalServiceError",
        ServiceId::Ec2 => "InternalError",
        ServiceId::ApplicationAutoScaling => "InternalServiceException",
    };
    ApiError::server(code, "Service Unavailable. Please try again later.")
}
