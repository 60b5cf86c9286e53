//! Runs subjects that do not read Xen's device trees: an adapter, a program of the subject, says how QEMU is started.
//!
//! The adapter speaks the protocol of [`protocol`] on standard input and output. It prepares machines and judges
//! nothing; the suite runs and observes these machines like any other. Whatever the adapter does, the suite gets an
//! answer or an [`AdapterError`] within the time that the profile allows.

mod arguments;
mod child;
pub mod protocol;
mod session;
mod setup;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Arch;
use protocol::{
    Describe, Description, Operate, Operated, Operation, OperationKind, Prepare, Request, Response,
    Teardown,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use session::AdapterError;
use session::Session;
pub use setup::Setup;

use crate::request::File;
use crate::rundir::RunDir;

/// The adapter that a profile names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// The program and its arguments. It starts in the profile's folder.
    pub command: Vec<String>,
    /// The longest time for one answer, in milliseconds.
    #[serde(default = "patience")]
    pub deadline_ms: u64,
    /// The image of this repository, `refhv.img`, whose path the adapter gets unless the user names another image.
    #[serde(default)]
    pub image: Option<String>,
    /// The profile's folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

const fn patience() -> u64 {
    10_000
}

/// The processes of one adapter, as many as there are scenarios at a time.
#[derive(Debug)]
pub struct Adapters {
    adapter: Adapter,
    describe: Describe,
    description: Description,
    idle: Mutex<Vec<Session>>,
}

/// A scenario that an adapter has prepared. Dropping it ends the adapter's process.
#[derive(Debug)]
pub struct Stage {
    /// How QEMU is started.
    pub setup: Setup,
    session: Session,
    scenario: String,
    operations: BTreeSet<OperationKind>,
    folder: RunDir,
}

impl Stage {
    /// Asks for an operation of the hypervisor while the machine runs, after writing `files` into the scenario's
    /// folder. Fails without asking if the adapter does not claim the operation.
    pub fn operate(
        self,
        operation: Operation,
        files: &[File],
    ) -> Result<(Self, Operated), AdapterError> {
        let Self {
            setup,
            session,
            scenario,
            operations,
            folder,
        } = self;
        let kind = operation.kind();
        if !operations.contains(&kind) {
            return Err(session.error(format!("does not claim to `{kind}` at run time")));
        }
        write(files, &folder)?;
        let request = Request::Operate(Box::new(Operate {
            scenario: scenario.clone(),
            operation,
        }));
        match session.ask(request)? {
            (session, Response::Operated(operated)) => {
                let stage = Self {
                    setup,
                    session,
                    scenario,
                    operations,
                    folder,
                };
                Ok((stage, operated))
            }
            (session, other) => Err(unexpected(session, "operate", &other)),
        }
    }
}

/// Writes files into the folder of a scenario.
fn write(files: &[File], folder: &RunDir) -> Result<(), AdapterError> {
    for file in files {
        file.write(folder.path())
            .map_err(|error| ungiven(&file.name, &error))?;
    }
    Ok(())
}

/// Reports a failure of the suite's own files.
fn ungiven(doing: &str, error: &io::Error) -> AdapterError {
    AdapterError::new(format!("could not be given its files: {doing}: {error}"))
}

impl Adapters {
    /// Starts the first process and asks it for its description.
    pub fn new(adapter: &Adapter, arch: Arch, image: Option<&Path>) -> Result<Self, AdapterError> {
        let describe = Describe {
            arch,
            image: image.map(absolute),
        };
        let (session, description) = introduced(adapter, &describe)?;
        Ok(Self {
            adapter: adapter.clone(),
            describe,
            description,
            idle: Mutex::new(vec![session]),
        })
    }

    /// Returns what the hypervisor is and what it can do.
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// Returns the file that identifies the hypervisor.
    pub fn identity(&self) -> Option<PathBuf> {
        let image = self.description.image.as_ref()?;
        Some(self.adapter.folder.join(image))
    }

    /// Writes `files` into a new folder and asks an adapter to prepare the scenario there. `own` are files that the
    /// suite itself gives to QEMU.
    pub fn prepare(
        &self,
        scenario: protocol::Scenario,
        files: &[File],
        own: &[String],
    ) -> Result<Stage, AdapterError> {
        let folder = RunDir::create().map_err(|error| ungiven("creating their folder", &error))?;
        write(files, &folder)?;
        let id = scenario.id.clone();
        let request = Request::Prepare(Box::new(Prepare {
            folder: absolute(folder.path()),
            image: self.describe.image.clone(),
            scenario,
        }));
        let (session, response) = self.session()?.ask(request)?;
        let prepared = match response {
            Response::Prepared(prepared) => prepared,
            other => return Err(unexpected(session, "prepare", &other)),
        };
        match Setup::read(&prepared, folder.path(), own) {
            Ok(setup) => Ok(Stage {
                setup,
                session,
                scenario: id,
                operations: self.description.operations.clone(),
                folder,
            }),
            Err(why) => Err(session.error(format!("gave an invalid answer to `prepare`: {why}"))),
        }
    }

    /// Tells the adapter that the machine is gone. Returns the transcript of the scenario, for people.
    pub fn teardown(&self, stage: Stage) -> Result<String, AdapterError> {
        let request = Request::Teardown(Teardown {
            scenario: stage.scenario,
        });
        match stage.session.ask(request)? {
            (mut session, Response::Done(_)) => {
                let transcript = session.transcript();
                self.idle().push(session);
                Ok(transcript)
            }
            (session, other) => Err(unexpected(session, "teardown", &other)),
        }
    }

    /// Takes an idle process or starts one.
    fn session(&self) -> Result<Session, AdapterError> {
        let idle = self.idle().pop();
        if let Some(session) = idle {
            return Ok(session);
        }
        let (session, description) = introduced(&self.adapter, &self.describe)?;
        if description != self.description {
            return Err(session.error("described itself differently when it was started again"));
        }
        Ok(session)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // A panic leaves the list usable: sessions are added and removed whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Adapters {
    fn drop(&mut self) {
        for session in self.idle().drain(..) {
            session.close();
        }
    }
}

/// Starts a process and asks it for its description.
fn introduced(
    adapter: &Adapter,
    describe: &Describe,
) -> Result<(Session, Description), AdapterError> {
    let patience = Duration::from_millis(adapter.deadline_ms);
    let session = Session::start(&adapter.command, &adapter.folder, patience)?;
    match session.ask(Request::Describe(describe.clone()))? {
        (session, Response::Description(description)) => Ok((session, description)),
        (session, other) => Err(unexpected(session, "describe", &other)),
    }
}

fn unexpected(session: Session, name: &str, response: &Response) -> AdapterError {
    let kind = match response {
        Response::Description(_) => "description",
        Response::Prepared(_) => "prepared",
        Response::Operated(_) => "operated",
        Response::Done(_) => "done",
        Response::Error(failure) => {
            return session.error(format!("cannot `{name}`: {}", failure.reason));
        }
    };
    session.error(format!("answered `{name}` with `{kind}`"))
}

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}
