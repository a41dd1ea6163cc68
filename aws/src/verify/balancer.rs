//! Where requests through a listener go.

use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use futures::join;
use windlass_shared::id::ListenerArn;

use crate::error::Failure;
use crate::observe::route::load_balancer_arn;

type Elb = aws_sdk_elasticloadbalancingv2::Client;

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// `http://<load balancer>:<port>`, whatever the `Host` header says.
    Plain(String),
    /// To the host itself on this port: a certificate is for a name, and the load balancer's
    /// own is on none.
    Tls(u16),
    /// To what stands in for load balancers; the `Host` header says which was meant.
    StandIn {
        /// `http://127.0.0.1:8080`
        endpoint: String,
        /// The load balancer's own name.
        name: String,
        /// The listener's port.
        port: u16,
    },
    /// Nowhere, and why.
    Nowhere(String),
}

pub(super) async fn origin(elb: &Elb, listener: Option<&ListenerArn>, endpoint: Option<&str>) -> Origin {
    let Some(listener) = listener else {
        let words = "no listener is known: set the stack's ListenerArn, or `route.listener` in the spec";
        return Origin::Nowhere(words.to_owned());
    };
    let Some(balancer) = load_balancer_arn(listener) else {
        return Origin::Nowhere(format!("`{listener}` is no ARN of an Application Load Balancer's listener"));
    };
    match join!(front(elb, listener), name(elb, &balancer)) {
        (Ok((_, port)), Ok(name)) if endpoint.is_some() => {
            let endpoint = endpoint.unwrap_or_default().trim_end_matches('/').to_owned();
            Origin::StandIn { endpoint, name, port }
        }
        (Ok((true, port)), _) => Origin::Tls(port),
        (Ok((false, port)), Ok(name)) => Origin::Plain(format!("http://{name}:{port}")),
        (Err(failure), _) | (_, Err(failure)) => Origin::Nowhere(failure.with_next_step()),
    }
}

/// Whether the listener speaks TLS, and its port.
async fn front(elb: &Elb, listener: &ListenerArn) -> Result<(bool, u16), Failure> {
    const ACTION: &str = "elasticloadbalancing:DescribeListeners";
    let sent = elb.describe_listeners().listener_arns(listener.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new(ACTION, &error))?;
    let found = described.listeners().first();
    let port = found.and_then(|it| it.port()).and_then(|port| u16::try_from(port).ok());
    match (found, port) {
        (Some(listener), Some(port)) => Ok((listener.protocol() == Some(&ProtocolEnum::Https), port)),
        _ => Err(Failure::of_code(
            ACTION,
            Some("ListenerNotFound"),
            "the response has no listener with a port",
        )),
    }
}

async fn name(elb: &Elb, balancer: &str) -> Result<String, Failure> {
    const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancers";
    let sent = elb.describe_load_balancers().load_balancer_arns(balancer).send().await;
    let described = sent.map_err(|error| Failure::new(ACTION, &error))?;
    let name = described.load_balancers().first().and_then(|it| it.dns_name());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::of_code(
            ACTION,
            Some("LoadBalancerNotFound"),
            "the response has no load balancer with a name",
        )
    })
}
