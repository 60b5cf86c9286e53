//! The folder a run keeps its files and sockets in, gone when the run is over.
//!
//! A killed harness cannot tidy up, so folders live under one root for each user, and each is
//! locked by its owner for as long as that lives: the kernel drops the lock with the process.
//! Whoever creates the next folder removes those that nobody holds. Nothing is decided by
//! process ids, which are reused.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of one run. Dropping it removes it, and the root too when it was the last.
#[derive(Debug)]
pub struct RunDir {
    dir: TempDir,
    lock: File,
    root: PathBuf,
}

impl RunDir {
    /// Creates a folder under the user's root, after sweeping that of dead owners' folders.
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
        // Made and locked under the root's lock, so that no sweep sees it in between.
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

    /// Listens on a socket in the folder. However long the folder's path is, the address is
    /// short: it goes through our own descriptor of the folder.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        UnixListener::bind(format!("/proc/self/fd/{}/{name}", self.lock.as_raw_fd()))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // A drop has nobody to report to; what stays behind is swept by the next run.
        let _ = fs::remove_dir_all(self.dir.path());
        // While we waited for the lock, another last run may have removed the root, and a new run
        // made one of the same name: that one is not ours to remove.
        if let Ok(guard) = File::open(&self.root)
            && guard.lock().is_ok()
            && is_still(&self.root, &guard)
        {
            // Fails while others run, which is as it should be.
            let _ = fs::remove_dir(&self.root);
        }
    }
}

/// Creates the root if need be and holds it, so that one process at a time changes what is in it.
fn lock_root(root: &Path, user: u32) -> io::Result<File> {
    loop {
        match DirBuilder::new().mode(0o700).create(root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // Temporary folders are shared: somebody else may have made one of this name, or a link.
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

/// Tells whether the path still leads to the folder that is held open. A folder that is held keeps
/// its number, so no later one can be taken for it.
fn is_still(root: &Path, held: &File) -> bool {
    let now = fs::symlink_metadata(root).map(|now| (now.dev(), now.ino()));
    let then = held.metadata().map(|then| (then.dev(), then.ino()));
    matches!((now, then), (Ok(now), Ok(then)) if now == then)
}

/// Removes the folders that nobody holds. Best effort: an entry that cannot be opened or removed
/// stays for the next one.
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

    /// A folder whose owner is gone is swept by the next run; one whose owner lives stays; and
    /// after the last run nothing is left.
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

    /// A root that is a link is refused, whoever laid it.
    #[test]
    fn a_link_is_no_root() {
        let outer = tempfile::tempdir().expect("temporary folder");
        let root = outer.path().join("root");
        std::os::unix::fs::symlink(outer.path(), &root).expect("link");
        let error = RunDir::create_in(&root, me()).expect_err("a link");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    /// Many runs beginning and ending at once never lose a folder to one another.
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
