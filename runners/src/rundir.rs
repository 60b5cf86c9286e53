//! The folder for the files and sockets of a run; removed when the run ends.
//!
//! A killed harness cannot remove its folder. So all folders lie under one root for each user, and each run holds a
//! lock on its folder; the kernel drops the lock when the process ends. Each new run removes the folders that are not
//! locked. Process ids decide nothing, because they are reused.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The folder of one run. Dropping it removes the folder, and the root if it was the last.
#[derive(Debug)]
pub struct RunDir {
    dir: TempDir,
    lock: File,
    root: PathBuf,
}

impl RunDir {
    /// Creates a folder under the user's root, after removing those of dead owners.
    pub fn create() -> io::Result<Self> {
        let user = fs::metadata("/proc/self")?.uid();
        Self::create_in(
            &std::env::temp_dir().join(format!("conformance-runs-{user}")),
            user,
        )
    }

    fn create_in(root: &Path, user: u32) -> io::Result<Self> {
        let guard = lock_root(root, user)?;
        sweep(root);
        // Created and locked under the root's lock, so that no sweep can come in between.
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(root)?;
        let lock = File::open(dir.path())?;
        lock.lock()?;
        drop(guard);
        Ok(Self {
            dir,
            lock,
            root: root.to_owned(),
        })
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Listens on a socket in the folder. The address goes through our own descriptor of the folder, so it is short
    /// however long the folder's path is.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        UnixListener::bind(format!("/proc/self/fd/{}/{name}", self.lock.as_raw_fd()))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // A drop cannot report an error; the next run sweeps what is left.
        let _ = fs::remove_dir_all(self.dir.path());
        // While we waited for the lock, another last run may have removed the root, and a new run may have created one
        // of the same name. That one is not ours to remove.
        if let Ok(guard) = File::open(&self.root)
            && guard.lock().is_ok()
            && is_still(&self.root, &guard)
        {
            // Fails while other runs exist, as it should.
            let _ = fs::remove_dir(&self.root);
        }
    }
}

/// Creates the root if need be and locks it, so that one process at a time changes its content.
fn lock_root(root: &Path, user: u32) -> io::Result<File> {
    loop {
        match DirBuilder::new().mode(0o700).create(root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // Temporary folders are shared: another user may have created a folder or a link of this name.
        let meta = match fs::symlink_metadata(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?,
        };
        if !meta.is_dir() || meta.uid() != user {
            let text = format!("{}: not a folder of user {user}", root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let held = match File::open(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            held => held?,
        };
        held.lock()?;
        // The last run may have removed the root while we waited for the lock.
        if is_still(root, &held) {
            return Ok(held);
        }
    }
}

/// Tells whether the path still leads to the folder that is held open. A held folder keeps its inode number, so a later
/// folder cannot be mistaken for it.
fn is_still(root: &Path, held: &File) -> bool {
    let now = fs::symlink_metadata(root).map(|now| (now.dev(), now.ino()));
    let then = held.metadata().map(|then| (then.dev(), then.ino()));
    matches!((now, then), (Ok(now), Ok(then)) if now == then)
}

/// Removes the folders that are not locked. Best effort: an entry that cannot be opened or removed stays for the next
/// run.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let Ok(held) = File::open(entry.path()) else {
            continue;
        };
        match held.try_lock() {
            Ok(()) => {
                let _ = fs::remove_dir_all(entry.path());
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> u32 {
        fs::metadata("/proc/self").expect("procfs").uid()
    }

    /// The next run sweeps a folder whose owner is gone. A folder whose owner lives stays. After the last run nothing
    /// is left.
    #[test]
    fn dead_owners_are_swept_and_living_ones_kept() {
        let outer = tempfile::tempdir().expect("temporary folder");
        let root = outer.path().join("root");
        let first = RunDir::create_in(&root, me()).expect("first");
        crate::File::new("deep/file", *b"x")
            .write(first.path())
            .expect("write");
        let orphan = root.join("run-orphan");
        fs::create_dir(&orphan).expect("orphan");
        fs::write(orphan.join("image"), b"x").expect("file");
        let second = RunDir::create_in(&root, me()).expect("second");
        assert!(!orphan.exists(), "swept");
        assert!(first.path().join("deep/file").exists(), "kept");
        drop(first);
        assert!(root.exists());
        drop(second);
        assert!(!root.exists(), "nothing is left");
    }

    /// A root that is a link is refused, whoever created it.
    #[test]
    fn a_link_is_no_root() {
        let outer = tempfile::tempdir().expect("temporary folder");
        let root = outer.path().join("root");
        std::os::unix::fs::symlink(outer.path(), &root).expect("link");
        let error = RunDir::create_in(&root, me()).expect_err("a link");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    /// Many runs that begin and end at once never remove each other's folders.
    #[test]
    fn runs_do_not_disturb_one_another() {
        let outer = tempfile::tempdir().expect("temporary folder");
        let root = outer.path().join("root");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let run = RunDir::create_in(&root, me()).expect("create");
                        crate::File::new("file", *b"x")
                            .write(run.path())
                            .expect("write");
                        assert!(run.path().join("file").exists());
                    }
                });
            }
        });
        assert!(!root.exists(), "nothing is left");
    }

    /// A socket can be listened on in a folder whose path is longer than a socket address.
    #[test]
    fn a_long_path_takes_a_socket() {
        let outer = tempfile::tempdir().expect("temporary folder");
        let root = outer.path().join("x".repeat(150));
        let run = RunDir::create_in(&root, me()).expect("create");
        run.listen("s").expect("listen");
        assert!(run.path().join("s").exists());
    }
}
