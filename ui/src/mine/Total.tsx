/** A total that opens into the rows that sum to it. */

import { Modal } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { useState } from "react";
import { formatAmount, shortUnits } from "../shared/format";
import { Identifier } from "../shared/parts";
import { Empty, Notice, Partial } from "../shared/states";
import css from "./mine.module.css";
import { difference, type Sum } from "./sums";

interface TotalProps {
  title: string;
  /** What the total is, in one sentence. */
  meaning: string;
  sums: Sum[];
  /** With a sign, as for net amounts. */
  signed?: boolean;
  /** Some rows are not loaded. */
  partial?: boolean;
}

function short({ total, token }: Sum, signed: boolean): string {
  const { text } = shortUnits(total, token.decimals, 4);
  return signed && total > 0n ? `+${text}` : text;
}

/** The tokens worth a line: those with an amount, or the first if there is none. */
function shown(sums: Sum[]): Sum[] {
  const some = sums.filter(({ total }) => total !== 0n);
  return some.length > 0 ? some : sums.slice(0, 1);
}

export function Total({ title, meaning, sums, signed = false, partial = false }: TotalProps) {
  const [opened, setOpened] = useState(false);
  const lines = shown(sums);
  return (
    <>
      <button type="button" className={css.total} aria-haspopup="dialog" onClick={() => setOpened(true)}>
        {lines.map((sum, index) => (
          <span key={sum.token.address} className={index > 0 ? css.more : undefined}>
            {short(sum, signed)} <small>{sum.token.symbol}</small>
          </span>
        ))}
        <span className="visually-hidden">. Show the rows of {title}</span>
      </button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={title} size="lg">
        <p className={css.text}>{meaning}</p>
        {partial && (
          <Partial>Older submissions are not loaded, so charged stakes can be missing from the rows.</Partial>
        )}
        <br />
        {sums
          .filter(({ total, terms }) => total !== 0n || terms.length > 0)
          .map(sum => (
            <Rows key={sum.token.address} sum={sum} />
          ))}
        {lines.every(({ total, terms }) => total === 0n && terms.length === 0) && (
          <Empty title="Nothing yet">There is no row, so the total is 0.</Empty>
        )}
      </Modal>
    </>
  );
}

function Rows({ sum }: { sum: Sum }) {
  const off = difference(sum);
  return (
    <>
      <table className={css.sum}>
        <caption>{sum.token.symbol}</caption>
        <tbody>
          {sum.terms.map(({ id, label, detail, amount, transaction }) => (
            <tr key={id}>
              <th scope="row">
                {label}
                {(detail || transaction) && (
                  <small>
                    {detail && <code>{detail}</code>}
                    {transaction && <Identifier text={transaction} name="transaction" />}
                  </small>
                )}
              </th>
              <td>{formatAmount(amount, sum.token)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Total</th>
            <td>{formatAmount(sum.total, sum.token)}</td>
          </tr>
        </tfoot>
      </table>
      <p className={css.muted}>
        {off === 0n ? (
          <>
            <IconCircleCheck size={14} aria-hidden="true" /> The rows sum to the total, exactly.
          </>
        ) : null}
      </p>
      {off !== 0n && (
        <Notice tone="bad">
          The rows differ from the total by {formatAmount(off, sum.token)}. The Mine may be reading new
          events; if it stays, report it.
        </Notice>
      )}
    </>
  );
}
