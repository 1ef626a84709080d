//! A cache object as a worker serves it: the key comes with the job, and the fetcher is the worker's own.

use super::{Object, PerCall, Typed};
use crate::api::serve::{Serve, Work};
use crate::base::panics::catch;
use crate::engine::Queued;
use crate::function::queued::{Missing, Provisions};
use crate::key::{Argument, Key};
use crate::outcome::Outcome;
use crate::rules::policy::Policy;

impl<K: Argument + Key, O: Outcome> Serve for Object<K, O> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }
    fn policy(&self) -> Policy {
        *self.engine.policy()
    }
    fn queued(&self) -> Option<Queued> {
        self.engine.queued()
    }
    fn missing(&self, _: &Provisions) -> Vec<Missing> {
        Vec::new()
    }
    fn prepare(&self, args: Vec<Vec<u8>>, _: &Provisions) -> Result<Box<dyn Work>, String> {
        let Ok([bytes]) = <[Vec<u8>; 1]>::try_from(args) else {
            return Err("it has more arguments than a key".to_owned());
        };
        let key = self.engine.key_of_job(&bytes).map_err(|why| format!("its key does not decode: {why}"))?;
        let prepared = catch(|| {
            let hash = self.engine.hash_of(&key);
            Box::new(self.entry(hash, key, PerCall::NOTHING)) as Box<dyn Work>
        });
        prepared.map_err(|panic| panic.message().to_owned())
    }
}
