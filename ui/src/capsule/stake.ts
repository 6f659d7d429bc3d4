/** The parts of a Capsule's stake. Amounts are integers in wei. */

import { units } from "../shared/format";
import type { CapsuleState } from "./data";

export interface StakePart {
  name: string;
  amount: bigint;
  colour: string;
  meaning: string;
}

/** Free, locked and at risk. What is at risk is a part of what is locked. */
export function stakeParts({ free, locked, at_risk }: CapsuleState["stake"]): StakePart[] {
  const risk = units(at_risk);
  return [
    {
      name: "At risk",
      amount: risk,
      colour: "var(--series-rejected)",
      meaning: "slashed if its next deadline is missed",
    },
    {
      name: "Locked",
      amount: units(locked) - risk,
      colour: "var(--series-escrow)",
      meaning: "backs campaigns, until their audit periods end",
    },
    {
      name: "Free",
      amount: units(free),
      colour: "var(--series-paid)",
      meaning: "can back campaigns or be withdrawn",
    },
  ];
}

/** The length of each part of a bar, in parts per million; for the eye only. */
export function shares(parts: StakePart[]): number[] {
  const all = parts.reduce((sum, { amount }) => sum + (amount > 0n ? amount : 0n), 0n);
  return parts.map(({ amount }) => (all === 0n || amount <= 0n ? 0 : Number((amount * 1_000_000n) / all)));
}
