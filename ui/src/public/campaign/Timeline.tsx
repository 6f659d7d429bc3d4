/** Every event of the campaign in chain order. */

import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { get } from "../../shared/api";
import { integer } from "../../shared/format";
import { Identifier, Panel, Time } from "../../shared/parts";
import { useSearchState } from "../../shared/search";
import { Empty, ErrorPanel, Loading } from "../../shared/states";
import facet from "../Campaigns.module.css";
import type { ChainEvent, Page } from "../types";
import { eventText } from "../words";
import css from "./campaign.module.css";

const PAGE = 50;

const KINDS = [
  { id: "submitted", label: "Submitted" },
  { id: "settled", label: "Settled" },
  { id: "awarded", label: "Awarded" },
  { id: "withdrawn", label: "Withdrawn" },
];

const COLOURS: Record<string, string> = {
  opened: "var(--series-accuracy)",
  activated: "var(--series-accuracy)",
  awarded: "var(--series-paid)",
  withdrawn: "var(--series-paid)",
  declined: "var(--series-rejected)",
  convicted: "var(--series-rejected)",
  expired: "var(--series-rejected)",
  refunded: "var(--series-refunded)",
  closed: "var(--series-spend)",
  finalized: "var(--series-paid)",
};

export function Timeline({ id }: { id: string }) {
  const [search, setSearch] = useSearchState();
  const path = `/api/v1/campaigns/${id}/events`;
  const kind = search.event;
  const query = useInfiniteQuery({
    queryKey: [path, { kind }],
    queryFn: ({ pageParam, signal }) =>
      get<Page<ChainEvent>>(path, { kind, after: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next,
  });
  const events = query.data?.pages.flatMap(page => page.items) ?? [];
  return (
    <Panel
      title="Timeline"
      note="What the contract recorded, in chain order."
      flush
      actions={
        <div className={css.facets}>
          <button
            type="button"
            className={facet.facet}
            aria-pressed={!kind}
            onClick={() => setSearch({ event: undefined })}
          >
            All
          </button>
          {KINDS.map(({ id, label }) => (
            <button
              key={id}
              type="button"
              className={facet.facet}
              aria-pressed={kind === id}
              onClick={() => setSearch({ event: kind === id ? undefined : id })}
            >
              {label}
            </button>
          ))}
        </div>
      }
    >
      {query.isPending && <Loading />}
      {query.error && events.length === 0 && (
        <ErrorPanel
          error={query.error}
          what="The timeline could not be loaded"
          retry={() => void query.refetch()}
        />
      )}
      {query.isSuccess && events.length === 0 && <Empty title="No such events" />}
      <ol className={css.timeline}>
        {events.map(event => (
          <li
            key={event.id}
            id={`event-${event.id}`}
            style={{ "--dot": COLOURS[event.kind] } as React.CSSProperties}
          >
            <span>{eventText(event.kind)}</span>
            <Time unix={event.at.time} />
            <small>
              <span>block {integer(event.at.block)}</span>
              <span>
                transaction <Identifier text={event.at.transaction} name="the transaction" />
              </span>
            </small>
          </li>
        ))}
      </ol>
      {query.hasNextPage && (
        <div style={{ padding: "0 20px 20px" }}>
          <Button
            variant="default"
            size="xs"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            Show more
          </Button>
        </div>
      )}
    </Panel>
  );
}
