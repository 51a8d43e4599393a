//! Which rooms a busy worker gives away: so much of its work to the one that has least that both have the same
//! afterwards, as nearly as whole rooms allow. No clock, no threads.

/// Workers whose loads differ by less, in thousandths of a core, leave each other alone.
const GAP_PERMILLE_MIN: u32 = 100;
/// A room that is worth less, in thousandths of a core, is not worth its moving.
const WORTH_PERMILLE_MIN: u32 = 1;

/// What one room took of its worker lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burden {
    pub(super) room: u64,
    /// In thousandths of a core.
    pub(super) permille: u32,
}

/// The rooms that worker `own` gives away, and to whom. `loads` are the workers', in thousandths of a core.
pub(super) fn give_away(own: usize, loads: &[u32], mut rooms: Vec<Burden>) -> Option<(usize, Vec<u64>)> {
    let (to, least) = loads.iter().copied().enumerate().min_by_key(|(_, load)| *load)?;
    let gap = loads.get(own)?.saturating_sub(least);
    if gap < GAP_PERMILLE_MIN || rooms.len() < 2 {
        return None;
    }
    rooms.retain(|burden| burden.permille >= WORTH_PERMILLE_MIN);
    rooms.sort_by_key(|burden| (std::cmp::Reverse(burden.permille), burden.room));
    let mut left = gap / 2;
    let mut given = Vec::new();
    for burden in rooms {
        if burden.permille <= left {
            left -= burden.permille;
            given.push(burden.room);
        }
    }
    (!given.is_empty()).then_some((to, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(permille: &[u32]) -> Vec<Burden> {
        permille.iter().zip(0..).map(|(permille, room)| Burden { room, permille: *permille }).collect()
    }

    #[test]
    fn two_heavy_rooms_part() {
        assert_eq!(give_away(0, &[800, 0], rooms(&[400, 400])), Some((1, vec![0])));
        assert_eq!(give_away(0, &[700, 20, 300], rooms(&[300, 300, 100])), Some((1, vec![0])));
    }

    #[test]
    fn small_rooms_leave_one_that_cannot_be_split() {
        let (to, given) = give_away(1, &[0, 680], rooms(&[600, 20, 20, 20, 20])).expect("a gap of 680");
        assert_eq!((to, given), (0, vec![1, 2, 3, 4]));
    }

    #[test]
    fn what_is_even_stays() {
        assert_eq!(give_away(0, &[450, 400], rooms(&[200, 250])), None);
        assert_eq!(give_away(0, &[900, 0], rooms(&[900])), None, "its only room");
        assert_eq!(give_away(0, &[900, 0], rooms(&[890, 0, 0])), None, "nothing fits");
        assert_eq!(give_away(1, &[0], rooms(&[1, 2])), None, "no such worker");
    }

    #[test]
    fn it_ends() {
        // Whatever the rooms, moves become fewer and end, and the loads are near each other or cannot be.
        let mut seed = 7_u32;
        for _ in 0..200 {
            let mut workers = vec![Vec::new(); 4];
            for room in 0..40 {
                seed = seed.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                let permille = if seed >> 28 == 0 { seed >> 22 & 255 } else { seed >> 27 };
                workers[(seed >> 20) as usize % 2].push(Burden { room, permille });
            }
            let total: u32 = workers.iter().flatten().map(|burden| burden.permille).sum();
            let mut rounds = 0;
            loop {
                let loads: Vec<u32> =
                    workers.iter().map(|rooms| rooms.iter().map(|burden| burden.permille).sum()).collect();
                let moved = (0..4).find_map(|own| Some((own, give_away(own, &loads, workers[own].clone())?)));
                let Some((own, (to, given))) = moved else {
                    assert_eq!(loads.iter().sum::<u32>(), total);
                    break;
                };
                let (stay, go): (Vec<_>, Vec<_>) =
                    workers[own].iter().partition(|burden| !given.contains(&burden.room));
                workers[own] = stay;
                workers[to].extend(go);
                rounds += 1;
                assert!(rounds < 60, "no end: {loads:?}");
            }
        }
    }
}
