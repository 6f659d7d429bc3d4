//! Solving for a Mine's map by linear algebra on the masks of an upload, which are public functions of the map except
//! for the coins; also a public key that is crafted to read the coins.

use super::*;
use crate::he::ring::double;

/// With 600 outputs the ring has degree 1024 and rank 2, so the public key's mask is a matrix that is easy to invert.
const SHAPE: Shape = Shape { inputs: 4, outputs: 600 };
const DEGREE: usize = 1024;

type Element = Vec<u64>;

fn multiply(a: &[u64], b: &[u64]) -> Element {
    let mut doubled = vec![0; 2 * DEGREE];
    double(b, &mut doubled);
    let mut product = vec![0_u64; DEGREE];
    for (power, factor) in a.iter().enumerate() {
        for (sum, word) in product.iter_mut().zip(&doubled[DEGREE - power..]) {
            *sum = sum.wrapping_add(factor.wrapping_mul(*word));
        }
    }
    product
}

fn subtract(a: &[u64], b: &[u64]) -> Element {
    a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b)).collect()
}

/// The inverse modulo X^1024 + 1 and 2^64 of an element whose coefficients have an odd sum.
fn invert(a: &[u64]) -> Element {
    // Modulo 2 the element to the power of 1024 is one.
    let mut inverse: Element = (0..DEGREE).map(|i| u64::from(i == 0)).collect();
    let mut power = a.to_vec();
    for _ in 0..10 {
        inverse = multiply(&inverse, &power);
        power = multiply(&power, &power);
    }
    for _ in 0..6 {
        let mut correction = multiply(a, &inverse).iter().map(|x| x.wrapping_neg()).collect::<Element>();
        correction[0] = correction[0].wrapping_add(2);
        inverse = multiply(&inverse, &correction);
    }
    inverse
}

/// Multiplies pairs of elements by the inverse of the public key's mask.
struct Unmask {
    adjugate: [Element; 4],
    inverse: Element,
}

impl Unmask {
    fn new(material: &Material) -> Option<Self> {
        let zeros = material.public_key();
        let at = |a: usize, b: usize| zeros[(3 * a + b) * DEGREE..][..DEGREE].to_vec();
        let determinant = subtract(&multiply(&at(0, 0), &at(1, 1)), &multiply(&at(0, 1), &at(1, 0)));
        let odd = determinant.iter().fold(0_u64, |sum, x| sum.wrapping_add(*x)) % 2 == 1;
        let negative = |x: Element| x.iter().map(|x| x.wrapping_neg()).collect::<Element>();
        odd.then(|| Self {
            adjugate: [at(1, 1), negative(at(0, 1)), negative(at(1, 0)), at(0, 0)],
            inverse: invert(&determinant),
        })
    }

    fn apply(&self, masks: &[u64]) -> Vec<u64> {
        let (left, right) = masks.split_at(DEGREE);
        let column = |column: usize| {
            let (a, b) = (multiply(left, &self.adjugate[column]), multiply(right, &self.adjugate[2 + column]));
            let sum: Element = a.iter().zip(b).map(|(a, b)| a.wrapping_add(b)).collect();
            multiply(&sum, &self.inverse)
        };
        [column(0), column(1)].concat()
    }
}

fn inverse_of_odd(x: u64) -> u64 {
    (0..6).fold(x, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(inverse))))
}

/// Solves four equations modulo 2^64, if a chain of odd pivots exists.
fn solve(mut rows: [[u64; 5]; 4]) -> Option<[i64; 4]> {
    for pivot in 0..4 {
        let odd = (pivot..4).find(|&row| rows[row][pivot] % 2 == 1)?;
        rows.swap(pivot, odd);
        let inverse = inverse_of_odd(rows[pivot][pivot]);
        rows[pivot].iter_mut().for_each(|x| *x = x.wrapping_mul(inverse));
        for row in (0..4).filter(|row| *row != pivot) {
            let (factor, from) = (rows[row][pivot], rows[pivot]);
            rows[row].iter_mut().zip(from).for_each(|(x, y)| *x = x.wrapping_sub(factor.wrapping_mul(y)));
        }
    }
    Some(rows.map(|row| row[4].cast_signed()))
}

/// A row of the map, if the coins are zeros and ones: guesses four of them, solves, and checks whether the rest fit.
fn recover(unmask: &Unmask, known: &[Vec<u64>], masks: &[u64]) -> Option<[i64; 4]> {
    let upload = unmask.apply(masks);
    let equation = |at: usize| [known[0][at], known[1][at], known[2][at], known[3][at], upload[at]];
    let start = (0..DIMENSION - 4).find(|&at| solve([0, 1, 2, 3].map(|i| equation(at + i))).is_some())?;
    (0..16_u64).find_map(|guess| {
        let row = solve([0, 1, 2, 3].map(|i| {
            let mut equation = equation(start + i);
            equation[4] = equation[4].wrapping_sub(guess >> i & 1);
            equation
        }))?;
        let coin = |at: usize| {
            let sum = (0..4).fold(0_u64, |sum, i| sum.wrapping_add(known[i][at].wrapping_mul(row[i].cast_unsigned())));
            upload[at].wrapping_sub(sum)
        };
        (0..DIMENSION).all(|at| coin(at) <= 1).then_some(row)
    })
}

#[test]
fn mask_solve() {
    let (party, unmask) =
        (1..).map(|version| party(SHAPE, 30, version)).find_map(|p| Unmask::new(&p.material).map(|u| (p, u))).unwrap();
    let linear: Vec<i64> = (0..16).map(|i| i * 251 - 1900).collect();
    let update = AffineUpdate::from_raw(SHAPE, linear.clone(), vec![0; SHAPE.weights()]);
    let width = party.params.row_words();
    let rows = party.material.rows();
    let known: Vec<_> = rows.chunks_exact(width).map(|row| unmask.apply(&row[..DIMENSION])).collect();
    let recover_all = |words: &[u64]| -> Vec<Option<[i64; 4]>> {
        words.chunks_exact(width).map(|row| recover(&unmask, &known, &row[..DIMENSION])).collect()
    };
    let truth: Vec<_> = linear.as_chunks::<4>().0.iter().copied().map(Some).collect();

    let raw = mapped_rows(&party, &update);
    assert_eq!(recover_all(&raw), truth, "the bare map discloses everything");

    let mut without_mask_errors = raw;
    let evaluator = evaluator(&party);
    evaluator.zeros().add_zeros(&mut without_mask_errors, width, &mut Coins::fresh().unwrap());
    assert_eq!(recover_all(&without_mask_errors), truth, "binary coins alone hide nothing");

    // Even an attacker who sees the rows before packing learns nothing from them.
    assert_eq!(recover_all(&protected_rows(&party, &update)), [None; 4], "the real rows must not be solvable");
}

/// What a cheating Capsule adds to its public key: each coefficient of an upload then shows four coins above the flood.
fn crafted() -> [u64; DIMENSION] {
    let mut shifts = [0; DIMENSION];
    // X^-512 is -X^512: it brings the upper half of the coins down to the lower coefficients.
    let upper = |power: u32| 0_u64.wrapping_sub(1 << power);
    (shifts[0], shifts[DEGREE / 2]) = (1 << 54, upper(56));
    (shifts[DEGREE], shifts[DEGREE + DEGREE / 2]) = (1 << 58, upper(60));
    shifts
}

/// Reads the coins of a row, and returns whether this row of the map explains the rest of its masks.
fn explains(party: &Party, row: &[u64], guess: &[i64]) -> bool {
    let phase = party.key.phase(row);
    let digits = |at: usize| phase[at].wrapping_add(1 << 53) >> 54;
    let coins: Vec<u64> = [0, 2, 4, 6]
        .iter()
        .flat_map(|shift| (0..DEGREE / 2).map(move |at| (at, shift)))
        .map(|(at, shift)| digits(at) >> shift & 1)
        .collect();
    let zeros = party.material.public_key();
    let rows = party.material.rows();
    let known: Vec<&[u64]> = rows.chunks_exact(party.params.row_words()).collect();
    (0..2).all(|block| {
        let mask = |zero: usize| &zeros[(3 * zero + block) * DEGREE..][..DEGREE];
        let added = [0, 1].map(|zero| multiply(&coins[zero * DEGREE..][..DEGREE], mask(zero)));
        (0..DEGREE).all(|at| {
            let linear = guess.iter().zip(&known).fold(0_u64, |sum, (factor, row)| {
                sum.wrapping_add(factor.cast_unsigned().wrapping_mul(row[block * DEGREE + at]))
            });
            let left = row[block * DEGREE + at].wrapping_sub(added[0][at]).wrapping_sub(added[1][at]);
            left.wrapping_sub(linear).cast_signed().unsigned_abs() <= 1 << 27
        })
    })
}

/// A Capsule that publishes a public key with chosen bits reads the coins of every upload, and can then verify any
/// guess of the Mine's matrix. No Mine can detect it; the audit does, and names a word that convicts.
#[test]
fn crafted_p() {
    let honest = party(SHAPE, 30, 1);
    let seed = VersionSeed::from_bytes([30; 32]);
    let [bodies, public_key, packing_key] = honest.material.bodies().map(<[u64]>::to_vec);
    let public_key = public_key.iter().zip(crafted()).map(|(word, shift)| word.wrapping_add(shift)).collect();
    let seeds = *honest.material.seeds();
    let material = Material::new(honest.params, binding(1), seeds, bodies, public_key, packing_key);
    let (params, weights) = (honest.params, honest.weights.clone());
    let key = SecretKey::derive(&seed, &params, &binding(1));
    let crafted = Party { params, key, weights, material };

    // A map without a constant gives zero for a model of zeros, as in the columns of classes that a Mine does not have.
    let linear: Vec<i64> = (0..16).map(|i| i * 251 - 1900).collect();
    let update = AffineUpdate::from_raw(SHAPE, linear.clone(), vec![0; SHAPE.weights()]);
    let upload = |party: &Party| {
        let mut rows = mapped_rows(party, &update);
        // The Capsule knows its own model, and subtracts it from the result.
        let clear = clear(party, &update);
        for (row, values) in rows.chunks_exact_mut(party.params.row_words()).zip(clear.raw().chunks(SHAPE.outputs)) {
            row[DIMENSION..]
                .iter_mut()
                .zip(values)
                .for_each(|(word, value)| *word = word.wrapping_sub(value.cast_unsigned()));
        }
        evaluator(party).protect(Mapped::new(&mut rows, party.params.row_words())).unwrap();
        rows[..party.params.row_words()].to_vec()
    };
    let row = upload(&crafted);
    assert!(explains(&crafted, &row, &linear[..4]), "the coins are read, and the matrix with them");
    let wrong = [linear[0] + 1, linear[1], linear[2], linear[3]];
    assert!(!explains(&crafted, &row, &wrong), "a wrong guess is distinguished from the right one");
    assert!(!explains(&honest, &upload(&honest), &linear[..4]), "an honest key shows nothing");

    let audit = Audit::new(&seed, &crafted.material);
    assert_eq!(audit.deviations, [Deviation::PublicKey(Places { count: 4, first: 0 })]);
    assert_eq!(audit.evidence, Some((SHAPE.weights() + DEGREE + DEGREE / 2) as u32));
    assert!(Audit::new(&seed, &honest.material).is_clean());
}

/// A Capsule that publishes unit vectors instead of the campaign's model, all within the bound, reads one column of the Mine's matrix per output.
/// Nothing in the material convicts it: the audit shows a valid model, whose accuracy is not the attested one.
#[test]
fn a_model_within_the_bound_reads_a_column_per_output() {
    let shape = DIGITS;
    let params = Parameters::linear(shape).unwrap();
    let radius = params.weight_radius();
    let units = (0..shape.weights()).map(|at| if at / shape.outputs == at % shape.outputs { radius } else { 0.0 });
    let weights = Weights::new(shape, &units.collect::<Vec<_>>()).unwrap();
    let seed = VersionSeed::from_bytes([40; 32]);
    let key = SecretKey::derive(&seed, &params, &binding(1));
    let material = key.publish(&weights);
    let linear: Vec<i64> = (0..shape.inputs * shape.inputs).map(|i| (i * 7919 % 801) as i64 - 400).collect();
    let update = AffineUpdate::from_raw(shape, linear.clone(), vec![0; shape.weights()]);
    let opened = key.decrypt(&encrypt_update(&material, &update).unwrap());
    for (row, entries) in linear.chunks_exact(shape.inputs).enumerate() {
        for (output, entry) in entries[..shape.outputs].iter().enumerate() {
            let read = opened.value(row, output) / radius;
            // Entries have twelve bits after the point; the noise leaves eight.
            assert!((read - *entry as f64 / params.map_scale()).abs() < 1.0 / 256.0);
        }
    }
    let audit = Audit::new(&seed, &material);
    assert!(audit.is_clean() && audit.evidence.is_none() && audit.weights == weights);
}

#[test]
fn the_inverse_is_one() {
    let party = party(SHAPE, 31, 1);
    let mut element = party.material.public_key()[..DEGREE].to_vec();
    element[0] |= 1;
    let odd = element.iter().fold(0_u64, |sum, x| sum.wrapping_add(*x)) % 2;
    element[1] = element[1].wrapping_add(1 - odd);
    let one: Element = (0..DEGREE).map(|i| u64::from(i == 0)).collect();
    assert_eq!(multiply(&element, &invert(&element)), one);
}
