//! Launches that fail: what a test or a demo sets.

use serde::{Deserialize, Serialize};

use super::Ec2;
use super::instance::{Market, Order};
use crate::call::ApiError;

/// Launches that fail as long as this is set. Every member that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFault {
    /// Only in this zone.
    pub az: Option<String>,
    /// Only of this type.
    pub instance_type: Option<String>,
    /// Only on spot, or only on demand.
    pub market: Option<Market>,
    /// How.
    pub error: LaunchError,
}

/// Why EC2 refuses to launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchError {
    /// `InsufficientInstanceCapacity`: none of this type is left in this zone.
    InsufficientInstanceCapacity,
    /// `VcpuLimitExceeded`: the account's quota.
    VcpuLimitExceeded,
    /// `MaxSpotInstanceCountExceeded`: the account's quota for spot.
    MaxSpotInstanceCountExceeded,
    /// `InvalidAMIID.NotFound`: the launch template's image is gone.
    InvalidAmi,
}

impl LaunchFault {
    /// No capacity in one zone, whatever the type.
    pub fn no_capacity_in(az: &str) -> Self {
        Self {
            az: Some(az.to_owned()),
            instance_type: None,
            market: None,
            error: LaunchError::InsufficientInstanceCapacity,
        }
    }

    /// Every launch fails in this way.
    pub fn everywhere(error: LaunchError) -> Self {
        Self { az: None, instance_type: None, market: None, error }
    }

    fn fits(&self, order: &Order) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        same(&self.az, &order.az)
            && same(&self.instance_type, &order.instance_type)
            && self.market.is_none_or(|market| market == order.market)
    }
}

impl LaunchError {
    fn of(self, order: &Order) -> ApiError {
        let (kind, az) = (&order.instance_type, &order.az);
        let (code, message) = match self {
            Self::InsufficientInstanceCapacity => (
                "InsufficientInstanceCapacity",
                format!(
                    "We currently do not have sufficient {kind} capacity in the Availability Zone you requested \
                     ({az}). Our system will be working on provisioning additional capacity. You can currently get \
                     {kind} capacity by not specifying an Availability Zone in your request or choosing another one."
                ),
            ),
            Self::VcpuLimitExceeded => (
                "VcpuLimitExceeded",
                "You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket \
                 that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request \
                 to request an adjustment to this limit."
                    .to_owned(),
            ),
            Self::MaxSpotInstanceCountExceeded => {
                ("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded".to_owned())
            }
            Self::InvalidAmi => {
                ("InvalidAMIID.NotFound", format!("The image id '[{}]' does not exist", order.image))
            }
        };
        ApiError::client(code, message)
    }
}

impl Ec2 {
    /// Launches fail in this way until [`Ec2::launches_again`].
    pub fn launch_fails(&mut self, fault: LaunchFault) {
        self.launch_faults.push(fault);
    }

    /// No launch fails any more.
    pub fn launches_again(&mut self) {
        self.launch_faults.clear();
    }

    /// What this launch fails with, if it does.
    pub(super) fn refuses(&self, order: &Order) -> Option<ApiError> {
        self.launch_faults.iter().find(|fault| fault.fits(order)).map(|fault| fault.error.of(order))
    }
}
