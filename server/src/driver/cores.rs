//! Which core a thread runs on, where somebody wants to say. The system's own choice puts two workers beside each other now and
//! then while another core does something else, for a few milliseconds; on a machine that does nothing else, that is most of
//! what makes ticks late.

/// This thread stays on one of the cores that the process may use, the one of this number, counted round.
///
/// # Errors
/// When the system does not do that.
#[cfg(target_os = "linux")]
pub(super) fn stay_on(number: usize) -> std::io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let core = cores.cycle().nth(number).ok_or(std::io::ErrorKind::NotFound)?;
    let mut own = CpuSet::new();
    own.set(core);
    Ok(sched_setaffinity(None, &own)?)
}

/// Elsewhere threads run where the system wants.
#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on(_number: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeSet;

    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::*;

    fn allowed() -> BTreeSet<usize> {
        let set = sched_getaffinity(None).expect("always there");
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
    }

    #[test]
    fn each_number_has_one_core_and_all_cores_have_a_turn() {
        let all = allowed();
        let own = |number| {
            // Of a thread of its own, since it stays there.
            let stayed = std::thread::spawn(move || stay_on(number).map(|()| allowed()));
            stayed.join().expect("no panic").expect("a core")
        };
        let cores: Vec<_> = (0..2 * all.len()).map(own).collect();
        assert!(cores.iter().all(|set| set.len() == 1));
        let (first, second) = cores.split_at(all.len());
        assert_eq!(first.iter().flatten().copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(first, second, "counted round");
        assert_eq!(allowed(), all, "nobody else was asked");
    }
}
