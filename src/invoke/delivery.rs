//! Telling destinations and dead-letter queues of events that are over.

use super::events::Inlet;
use crate::destination::{
    AsyncRecord, DeadLetterAttributes, DeadLetterQueue, DestinationError, EventDestination,
};
use crate::engine::config::EventInvokeConfig;
use crate::engine::lambda::AsyncCondition;
use crate::engine::{FailureClass, FunctionName, Span};
use crate::scenario::Aws;
use crate::target::Target;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Waits before the second and the third try. Rule `async-delivery-tries`.
const WAITS: [Span; 2] = [Span::from_secs(1), Span::from_secs(2)];
/// Calls of the destinations of one function at once.
const AT_ONCE: usize = 64;

/// Who is told of the events of one function.
#[derive(Debug)]
pub(super) struct Outlets {
    function: String,
    on_success: Option<Outlet>,
    on_failure: Option<Outlet>,
    dead_letter: Option<DeadLetterQueue>,
    calls: Semaphore,
}

#[derive(Debug)]
struct Outlet {
    arn: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A function of the same file, with its version or alias: it is queued here, without a call.
    Own(String),
    /// A version or alias that a function of the same file does not have.
    Nobody,
    Elsewhere(Box<EventDestination>),
}

/// Something to be told.
#[derive(Debug)]
pub(super) enum Errand {
    /// The end of an event, to the destination that its condition asks for.
    Tell(AsyncRecord),
    /// An event that failed, to the dead-letter queue.
    Bury(Bytes, DeadLetterAttributes),
}

/// Why somebody would not hear it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) text: String,
    /// It will not help to say it again.
    pub(super) is_final: bool,
}

impl Outlets {
    /// Makes everybody ready whom `config` names; `own` are those of the file.
    pub(super) async fn open(
        function: &str,
        config: &EventInvokeConfig,
        own: &[Arc<Target>],
        aws: &Aws,
    ) -> Result<Self, DestinationError> {
        let dead_letter = match &config.dead_letter {
            Some(arn) => Some(DeadLetterQueue::open(arn, aws).await?),
            None => None,
        };
        Ok(Self {
            function: function.to_owned(),
            on_success: Outlet::open(config.on_success.as_deref(), own, aws).await?,
            on_failure: Outlet::open(config.on_failure.as_deref(), own, aws).await?,
            dead_letter,
            calls: Semaphore::new(AT_ONCE),
        })
    }

    /// Says it until it is heard. Rule `async-delivery-tries`: up to three times, one and two seconds apart, and no more
    /// after a refusal that will not change. Returns whether it was heard.
    pub(super) async fn run(&self, errand: &Errand, inlet: &Inlet) -> bool {
        let mut waits = WAITS.into_iter();
        loop {
            let told = match self.calls.acquire().await {
                Ok(_permit) => self.once(errand, inlet).await,
                Err(_) => return false,
            };
            let Err(refused) = told else {
                return true;
            };
            let (function, request) = (&self.function, errand.request_id());
            let to = self.addressee(errand);
            let wait = waits.next().filter(|_| !refused.is_final);
            let Some(wait) = wait else {
                tracing::error!(%function, %request, %to, error = refused.text, "nobody could be told of the end of an event");
                return false;
            };
            tracing::warn!(%function, %request, %to, error = refused.text, %wait, "a destination did not take it");
            tokio::time::sleep(wait.to_std()).await;
        }
    }

    async fn once(&self, errand: &Errand, inlet: &Inlet) -> Result<(), Refused> {
        let nobody = || {
            Err(Refused {
                text: "nobody is configured".to_owned(),
                is_final: true,
            })
        };
        match errand {
            Errand::Tell(record) => {
                match self.outlet(record.condition).map(|outlet| &outlet.kind) {
                    Some(Kind::Own(name)) => inlet.tell(name, Bytes::from(record.json())),
                    Some(Kind::Elsewhere(destination)) => {
                        let delivered = destination.deliver(&self.function, record).await;
                        delivered.map_err(|error| Refused {
                            text: error.to_string(),
                            is_final: error.class == FailureClass::Denied,
                        })
                    }
                    Some(Kind::Nobody) => Err(Refused {
                        text: "Function not found".to_owned(),
                        is_final: true,
                    }),
                    None => nobody(),
                }
            }
            Errand::Bury(event, attributes) => match &self.dead_letter {
                Some(queue) => {
                    let buried = queue.bury(event, attributes).await;
                    buried.map_err(|error| Refused {
                        text: error.to_string(),
                        is_final: error.class == FailureClass::Denied,
                    })
                }
                None => nobody(),
            },
        }
    }

    fn outlet(&self, condition: AsyncCondition) -> Option<&Outlet> {
        match condition {
            AsyncCondition::Success => self.on_success.as_ref(),
            _ => self.on_failure.as_ref(),
        }
    }

    fn addressee(&self, errand: &Errand) -> &str {
        match errand {
            Errand::Tell(record) => self
                .outlet(record.condition)
                .map_or("", |outlet| outlet.arn.as_str()),
            Errand::Bury(..) => "the dead-letter queue",
        }
    }
}

impl Outlet {
    async fn open(
        arn: Option<&str>,
        own: &[Arc<Target>],
        aws: &Aws,
    ) -> Result<Option<Self>, DestinationError> {
        let Some(arn) = arn else {
            return Ok(None);
        };
        // Other ARNs have no such form.
        let function = FunctionName::parse(arn).ok();
        let target = function.and_then(|f| own.iter().find(|target| target.function() == f.name));
        let kind = match (function, target) {
            (Some(function), Some(target)) => match function.to_string() {
                name if target.has(&name) => Kind::Own(name),
                _ => Kind::Nobody,
            },
            _ => Kind::Elsewhere(Box::new(EventDestination::open(arn, aws).await?)),
        };
        Ok(Some(Self {
            arn: arn.to_owned(),
            kind,
        }))
    }
}

impl Errand {
    fn request_id(&self) -> &str {
        match self {
            Self::Tell(record) => &record.request_id,
            Self::Bury(_, attributes) => &attributes.request_id,
        }
    }
}
