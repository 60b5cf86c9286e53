//! Tests the board's interrupt lines at the GIC's distributor.

use libtest_mimic::Trial;
use runners::{Action, Answer, Command, End, run};
use serde_json::Value;

use super::{LAST_WORDS, RESPONDER};
use crate::image::{self, By, act, before, read};
use crate::trial;

/// Distributor of `virt`, and its registers that make SPIs pending.
const GICD_ISPENDR: u64 = 0x0800_0200;

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "arch::a_raised_line_is_pending_at_the_distributor",
            set_line,
        ),
        trial("arch::a_powerdown_raises_the_line_of_the_gpio", powerdown),
    ]
}

fn drive(spi: u32, high: bool) -> Action {
    Action::SetLine {
        line: format!("spi{spi}"),
        high,
    }
}

/// A line that is set is pending at the distributor, and one that the GIC lacks is refused.
fn set_line() {
    for spi in [0_u32, 40, 255] {
        // INTID 32 is bit 0 of the second register.
        let intid = u64::from(spi) + 32;
        let register = GICD_ISPENDR + intid / 32 * 4;
        let answers = before(
            &LAST_WORDS,
            vec![
                act("before", read(register, 4)),
                act("up", drive(spi, true)),
                act("pending", read(register, 4)),
                act("down", drive(spi, false)),
                act("after", read(register, 4)),
            ],
        );
        let bit = 1 << (intid % 32);
        assert_eq!(
            answers[0].value().map(|value| value & bit),
            Some(0),
            "SPI {spi}"
        );
        assert_eq!(answers[1], Answer::Done);
        assert_eq!(
            answers[2].value().map(|value| value & bit),
            Some(bit),
            "SPI {spi}"
        );
        assert_eq!(
            answers[4].value().map(|value| value & bit),
            Some(0),
            "SPI {spi}"
        );
    }
    let refused = before(&LAST_WORDS, vec![act("no such line", drive(256, true))]);
    let told = "spi256: the GIC has 256 SPIs".to_owned();
    assert_eq!(refused, [Answer::Refused(told)]);
}

/// `system_powerdown` presses the key on pin 3 of the PL061, whose SPI is 7.
fn powerdown() {
    let (mut request, _dir) = image::request(&RESPONDER);
    let pl061 = 0x0903_0000;
    let pin = vec![8, 0, 0, 0];
    // PL061 TRM 3.3: GPIOIEV at 0x40c chooses the rising edge, GPIOIE at 0x410 unmasks.
    request.before = vec![
        act(
            "rising",
            Action::Write {
                addr: pl061 + 0x40c,
                bytes: pin.clone(),
            },
        ),
        act(
            "unmask",
            Action::Write {
                addr: pl061 + 0x410,
                bytes: pin,
            },
        ),
    ];
    let pending = || Command::act("pending", read(GICD_ISPENDR + 4, 4));
    let mut run_controller = By(
        |_: &str| {
            let execute = "system_powerdown".to_owned();
            let press = Action::Qmp {
                execute,
                arguments: Value::Null,
            };
            vec![
                Command::act("at rest", read(GICD_ISPENDR + 4, 4)),
                Command::act("press", press),
            ]
        },
        |label: &str, answer: &Answer| {
            // INTID 39. QEMU presses the key after its answer, so the register is read again.
            match (label, answer.value()) {
                ("at rest", bits) => {
                    assert_eq!(bits.map(|bits| bits >> 7 & 1), Some(0));
                    Vec::new()
                }
                ("pending", Some(bits)) if bits >> 7 & 1 == 1 => vec![Command::Finish],
                ("pending", Some(_)) | ("press", _) => vec![pending()],
                _ => Vec::new(),
            }
        },
    );
    assert_eq!(
        run(&request, &mut run_controller).expect("a run").end,
        End::Finished
    );
}
