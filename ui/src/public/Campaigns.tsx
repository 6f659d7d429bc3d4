/** All campaigns: search, facets, order; the view is in the address. */

import { Button, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconPlus, IconRadar2, IconSearch } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { count, integer, type Token } from "../shared/format";
import { Amount, PageHead, Time } from "../shared/parts";
import { useApi } from "../shared/query";
import { useSearchState } from "../shared/search";
import { Empty, Loaded, Loading } from "../shared/states";
import css from "./Campaigns.module.css";
import { useTokens } from "./data";
import { Bullet, campaignName, RegimeChip, StateChip } from "./parts";
import shared from "./parts.module.css";
import type { CampaignSummary, Page, State } from "./types";

/** Facets of the list; each has one state or several of the contract. */
const FACETS: { id: string; label: string; states: State[] }[] = [
  { id: "open", label: "Open", states: ["open"] },
  { id: "proposed", label: "Proposed", states: ["proposed"] },
  { id: "closing", label: "Closing", states: ["closed"] },
  { id: "finished", label: "Finished", states: ["finalized", "released", "convicted"] },
  { id: "refunded", label: "Refunded", states: ["refunded"] },
];

/** Orders of the list, by which the server sorts. */
const ORDERS = [
  { value: "new", label: "Newest first" },
  { value: "deadline", label: "Ending soon" },
  { value: "bounty", label: "Largest bounty" },
  { value: "accuracy", label: "Highest accuracy" },
  { value: "progress", label: "Nearest to the target" },
  { value: "submissions", label: "Most submissions" },
  { value: "miners", label: "Most miners" },
];

const MAX_LISTED = 500;
const MAX_COMPARED = 5;

export function CampaignsPage() {
  const [search, setSearch] = useSearchState();
  const [picked, setPicked] = useState<string[]>([]);
  const query = useApi<Page<CampaignSummary>>("/api/v1/campaigns", {
    q: search.q,
    regime: search.regime,
    task: search.task,
    sort: search.sort,
    limit: MAX_LISTED,
  });
  const pick = (id: string) =>
    setPicked(old => (old.includes(id) ? old.filter(one => one !== id) : [...old, id].slice(-MAX_COMPARED)));
  return (
    <>
      <PageHead
        title="Campaigns"
        actions={
          <Button component={Link} to="/new" leftSection={<IconPlus size={16} />}>
            New campaign
          </Button>
        }
      >
        Each campaign pays for improvements of a model. Miners train it on data that never leaves their
        machines; a contract holds the bounty and pays for each gain in accuracy.
      </PageHead>
      <Filters search={search} setSearch={setSearch} />
      <Loaded
        query={query}
        what="The campaigns could not be loaded"
        loading={<Loading lines={5} height={84} />}
      >
        {page => (
          <List
            page={page}
            facet={search.state}
            setFacet={state => setSearch({ state })}
            picked={picked}
            pick={pick}
          />
        )}
      </Loaded>
      {picked.length > 0 && (
        <div className={css.compare} role="status">
          <span>{count(picked.length, "campaign")} selected</span>
          <div className={shared.chips}>
            <Button variant="subtle" size="xs" onClick={() => setPicked([])}>
              Clear
            </Button>
            <Button
              size="xs"
              component={Link}
              to="/compare"
              search={{ ids: picked.join(",") } as never}
              disabled={picked.length < 2}
            >
              Compare
            </Button>
          </div>
        </div>
      )}
    </>
  );
}

interface FilterProps {
  search: Record<string, string | undefined>;
  setSearch: (changes: Record<string, string | undefined>) => void;
}

function Filters({ search, setSearch }: FilterProps) {
  const [text, setText] = useState(search.q ?? "");
  const apply = useDebouncedCallback((q: string) => setSearch({ q }), 250);
  return (
    <div className={css.filters}>
      <TextInput
        value={text}
        onChange={event => {
          setText(event.currentTarget.value);
          apply(event.currentTarget.value.trim());
        }}
        placeholder="Name, id or address"
        aria-label="Search campaigns"
        leftSection={<IconSearch size={16} />}
      />
      <Select
        aria-label="Regime"
        placeholder="Any regime"
        clearable
        data={[
          { value: "encrypted", label: "Encrypted" },
          { value: "clear", label: "Clear" },
        ]}
        value={search.regime ?? null}
        onChange={regime => setSearch({ regime: regime ?? undefined })}
      />
      <Select
        aria-label="Task"
        placeholder="Any task"
        clearable
        data={[
          { value: "classification", label: "Classification" },
          { value: "regression", label: "Regression" },
        ]}
        value={search.task ?? null}
        onChange={task => setSearch({ task: task ?? undefined })}
      />
      <Select
        aria-label="Order"
        allowDeselect={false}
        data={ORDERS}
        value={search.sort ?? "new"}
        onChange={sort => setSearch({ sort: sort === "new" ? undefined : (sort ?? undefined) })}
      />
    </div>
  );
}

interface ListProps {
  page: Page<CampaignSummary>;
  facet: string | undefined;
  setFacet: (facet: string | undefined) => void;
  picked: string[];
  pick: (id: string) => void;
}

function List({ page, facet, setFacet, picked, pick }: ListProps) {
  const token = useTokens();
  const chosen = FACETS.find(({ id }) => id === facet);
  const shown = page.items.filter(({ state }) => !chosen || chosen.states.includes(state));
  const total = page.total ?? page.items.length;
  return (
    <>
      <fieldset className={css.states}>
        <legend className="visually-hidden">State</legend>
        <button
          type="button"
          className={css.facet}
          aria-pressed={!chosen}
          onClick={() => setFacet(undefined)}
        >
          All <span>{integer(page.items.length)}</span>
        </button>
        {FACETS.map(({ id, label, states }) => (
          <button
            key={id}
            type="button"
            className={css.facet}
            aria-pressed={id === facet}
            onClick={() => setFacet(id === facet ? undefined : id)}
          >
            {label} <span>{integer(page.items.filter(({ state }) => states.includes(state)).length)}</span>
          </button>
        ))}
      </fieldset>
      {shown.length === 0 ? (
        <NoCampaigns filtered={page.items.length > 0 || total > 0} />
      ) : (
        <ul className={css.list}>
          {shown.map(campaign => (
            <Row
              key={campaign.id}
              campaign={campaign}
              token={token(campaign.token)}
              picked={picked.includes(campaign.id)}
              pick={pick}
            />
          ))}
        </ul>
      )}
      {total > 0 && (
        <p className={css.foot}>
          {integer(shown.length)} of {count(total, "campaign")}
          {page.next ? `; the first ${integer(page.items.length)} are loaded. Search finds all.` : ""}
        </p>
      )}
    </>
  );
}

function NoCampaigns({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <Empty icon={<IconSearch size={28} stroke={1.5} />} title="No campaign matches">
        Remove a filter, or search for another name.
      </Empty>
    );
  return (
    <Empty
      icon={<IconRadar2 size={28} stroke={1.5} />}
      title="No campaigns yet"
      action={
        <Button component={Link} to="/new" variant="light">
          Describe the first one
        </Button>
      }
    >
      A data scientist launches a campaign with a validation set, a bounty and a target accuracy. It appears
      here within a second.
    </Empty>
  );
}

interface RowProps {
  campaign: CampaignSummary;
  token: Token | undefined;
  picked: boolean;
  pick: (id: string) => void;
}

function Row({ campaign, token, picked, pick }: RowProps) {
  const name = campaignName(campaign);
  return (
    <li className={css.row}>
      <div>
        <h2>
          <Link to={`/campaigns/${campaign.id}`}>{name}</Link>
        </h2>
        <div className={shared.chips}>
          <StateChip state={campaign.state} hint={false} />
          <RegimeChip regime={campaign.regime} hint={false} />
        </div>
      </div>
      <Bullet start={campaign.start_ppm} best={campaign.best_ppm} target={campaign.target_ppm} />
      <div className={css.figure}>
        <span className={css.above}>
          <Amount value={campaign.bounty} token={token} places={2} />
        </span>
        <small>
          <Amount value={campaign.awarded} token={token} places={2} /> earned
        </small>
      </div>
      <div className={css.figure}>
        <span>
          {integer(campaign.accepts)} / {integer(campaign.submissions)}
        </span>
        <small>
          accepted · {count(campaign.miners, "miner")}
          <br />
          {campaign.state === "open" ? (
            <Time unix={campaign.deadline} prefix="ends " />
          ) : (
            <Time unix={campaign.opened_at} />
          )}
        </small>
      </div>
      <label className={`${css.pick} ${css.above}`}>
        <span className="visually-hidden">Compare {name}</span>
        <input type="checkbox" checked={picked} onChange={() => pick(campaign.id)} />
      </label>
    </li>
  );
}
