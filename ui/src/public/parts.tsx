/** Parts of the public pages. */

import {
  IconCircleCheck,
  IconCircleDot,
  IconCircleDotted,
  IconCircleHalf2,
  IconCircleX,
  IconLock,
  IconReceiptRefund,
  IconWorld,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { formatPpm, shortAddress } from "../shared/format";
import { Chip } from "../shared/parts";
import css from "./parts.module.css";
import type { Regime, State } from "./types";
import { REGIMES, STATES } from "./words";

const STATE_ICONS: Record<State, ReactNode> = {
  none: <IconCircleDotted size={14} />,
  proposed: <IconCircleDotted size={14} />,
  open: <IconCircleDot size={14} />,
  closed: <IconCircleHalf2 size={14} />,
  finalized: <IconCircleCheck size={14} />,
  refunded: <IconReceiptRefund size={14} />,
  released: <IconCircleCheck size={14} />,
  convicted: <IconCircleX size={14} />,
};

export function StateChip({ state, hint = true }: { state: State; hint?: boolean }) {
  const words = STATES[state] ?? { label: state, tone: "neutral" as const, hint: "" };
  return (
    <Chip tone={words.tone} icon={STATE_ICONS[state]} {...(hint ? { hint: words.hint } : {})}>
      {words.label}
    </Chip>
  );
}

export function RegimeChip({ regime, hint = true }: { regime: Regime | null; hint?: boolean }) {
  if (!regime) return null;
  const words = REGIMES[regime];
  const icon = regime === "encrypted" ? <IconLock size={13} /> : <IconWorld size={13} />;
  return (
    <Chip
      tone={regime === "encrypted" ? "accent" : "neutral"}
      outline={regime === "clear"}
      icon={icon}
      {...(hint ? { hint: words.hint } : {})}
    >
      {words.label}
    </Chip>
  );
}

export function campaignName(campaign: { id: string; name: string | null }): string {
  return campaign.name ?? `Campaign ${shortAddress(campaign.id)}`;
}

export function CampaignLink({ id, name }: { id: string; name: string | null }) {
  return (
    <Link to={`/campaigns/${id}`} className={css.link}>
      {campaignName({ id, name })}
    </Link>
  );
}

interface BulletProps {
  start: number | null;
  best: number | null;
  target: number;
}

/** Accuracy now, between its start and its target. */
export function Bullet({ start, best, target }: BulletProps) {
  const share = (ppm: number) => `${Math.min(100, ppm / 10_000)}%`;
  return (
    <div className={css.bullet}>
      <div className={css.bulletText}>
        <span>
          <strong>{best === null ? "–" : formatPpm(best)}</strong>
          {start !== null && best !== null && best > start ? ` from ${formatPpm(start)}` : ""}
        </span>
        <span>target {formatPpm(target)}</span>
      </div>
      <div className={css.track} aria-hidden="true">
        {best !== null && <div className={css.fill} style={{ width: share(best) }} />}
        {start !== null && <div className={css.start} style={{ width: share(start) }} />}
        <div className={css.target} style={{ left: share(target) }} />
      </div>
    </div>
  );
}
