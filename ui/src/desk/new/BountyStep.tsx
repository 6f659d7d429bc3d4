/** Step 5: bounty, token, and what improvements pay. */

import { Select, TextInput } from "@mantine/core";
import { formatAmount, formatPoints, payout, type Token, units } from "../../shared/format";
import { useApi } from "../../shared/query";
import { Notice } from "../../shared/states";
import { bountyUnits, type Draft, payoutPreview, percent } from "./draft";
import type { StepProps, WizardHost } from "./host";
import css from "./wizard.module.css";

export function BountyStep(props: StepProps & { host: WizardHost }) {
  const { draft, dispatch, problems, host } = props;
  const change = (changes: Partial<Draft>) => dispatch({ type: "change", changes });
  const listed = useApi<{ items: Token[] }>("/api/v1/tokens", {}, { staleTime: 60_000 }).data?.items ?? [];
  const tokens = listed.some(({ address }) => address === draft.token.address)
    ? listed
    : [draft.token, ...listed];
  return (
    <>
      <div className={css.pair}>
        <TextInput
          label="Bounty"
          description="What the target is worth to you."
          placeholder="1000"
          value={draft.bounty}
          inputMode="decimal"
          onChange={event => change({ bounty: event.currentTarget.value })}
          error={problems.bounty}
          required
        />
        <Select
          label="Token"
          description="Miners are paid in it."
          data={tokens.map(({ address, symbol, verified }) => ({
            value: address,
            label: verified ? symbol : `${symbol} (unverified, ${address.slice(0, 8)}…)`,
          }))}
          value={draft.token.address}
          onChange={address => {
            const token = tokens.find(one => one.address === address);
            if (token) change({ token });
          }}
          allowDeselect={false}
        />
      </div>
      {host.Account && <host.Account draft={draft} dispatch={dispatch} problems={problems} />}
      <Preview draft={draft} />
    </>
  );
}

/** Gains whose payout is shown, in ppm. */
const GAINS = [1_000, 10_000, 50_000, 100_000];

function Preview({ draft }: { draft: Draft }) {
  const preview = payoutPreview(draft);
  const [bounty, goal] = [bountyUnits(draft), percent(draft.goal)];
  if (!preview || bounty === null || !goal || units(bounty) === 0n)
    return <p className={css.hint}>Enter a bounty to see what improvements pay.</p>;
  const { token } = draft;
  const room = goal - (percent(draft.start) ?? 0);
  const gains = GAINS.filter(gain => gain <= room);
  return (
    <section className={css.preview} aria-label="Payouts">
      <p>
        Each point of accuracy pays <strong>{formatAmount(preview.point, token)}</strong>.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Gain</th>
            <th scope="col">Pays</th>
          </tr>
        </thead>
        <tbody>
          {gains.map(gain => (
            <tr key={gain}>
              <th scope="row">
                {formatPoints(gain).replace("+", "")} {gain === 10_000 ? "point" : "points"}
              </th>
              <td>{formatAmount(payout(bounty, gain, goal), token)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {preview.most !== null && preview.back !== null ? (
        <p>
          From the start to the target miners earn at most {formatAmount(preview.most, token)}. At least{" "}
          {formatAmount(preview.back, token)} comes back to you, and so does what nobody earns.
        </p>
      ) : (
        <p>
          What nobody earns comes back to you. The share below the measured start is never paid out; the
          review shows it.
        </p>
      )}
      <Notice>
        A payout is the bounty times the gain, divided by the target, rounded down: the contract computes it,
        and nobody can change it after the launch.
      </Notice>
    </section>
  );
}
