/** One campaign: its accuracy, its money, who works for it, and how to check all of it. */

import { ActionIcon, Button, Menu, Tabs } from "@mantine/core";
import {
  IconArrowLeft,
  IconBraces,
  IconDots,
  IconFileTypeCsv,
  IconPlayerPlay,
  IconRss,
  IconShieldCheck,
} from "@tabler/icons-react";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense } from "react";
import { AccuracyChart } from "../shared/chart/AccuracyChart";
import { count, duration, formatPoints, formatPpm, integer, roughPpm, sharePpm } from "../shared/format";
import { useNow } from "../shared/now";
import { Amount, type Figure, Figures, Time } from "../shared/parts";
import { useApi } from "../shared/query";
import { useSearchState } from "../shared/search";
import { Loaded, Loading, Notice, Partial } from "../shared/states";
import { About } from "./campaign/About";
import { CapsuleTab } from "./campaign/CapsuleTab";
import css from "./campaign/campaign.module.css";
import { Join } from "./campaign/Join";
import { LeaderboardTab } from "./campaign/LeaderboardTab";
import { MoneyPanel } from "./campaign/MoneyPanel";
import { PrivacyTab } from "./campaign/PrivacyTab";
import { SubmissionsTab } from "./campaign/SubmissionsTab";
import { Timeline } from "./campaign/Timeline";
import { useTokens } from "./data";
import { campaignName, RegimeChip, StateChip } from "./parts";
import shared from "./parts.module.css";
import { slots } from "./slots";
import type { CampaignDetail, Series } from "./types";
import { CLOSE_REASONS } from "./words";

const Verify = lazy(() => import("./campaign/Verify"));

export function CampaignPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = useApi<CampaignDetail>(`/api/v1/campaigns/${id}`);
  return (
    <Loaded page query={query} what="The campaign could not be loaded" loading={<LoadingCampaign />}>
      {campaign => <Content campaign={campaign} />}
    </Loaded>
  );
}

/** Also a page that is still loading has a title. */
function LoadingCampaign() {
  return (
    <>
      <h1 className="visually-hidden">Campaign</h1>
      <Loading lines={4} height={90} />
    </>
  );
}

function Content({ campaign }: { campaign: CampaignDetail }) {
  const token = useTokens()(campaign.token);
  const series = useApi<Series>(`/api/v1/campaigns/${campaign.id}/series`);
  const api = `/api/v1/campaigns/${campaign.id}`;
  return (
    <div className={shared.grid}>
      <Head campaign={campaign} />
      <Situation campaign={campaign} />
      {slots.CampaignActions && (
        <Suspense>
          <slots.CampaignActions campaign={campaign} />
        </Suspense>
      )}
      <Tiles campaign={campaign} />
      <div className={shared.columns}>
        <Loaded query={series} what="The chart could not be loaded" loading={<Loading lines={8} />}>
          {({ points, submissions, complete }) => (
            <AccuracyChart
              points={points}
              submissions={submissions}
              complete={complete}
              start={campaign.start_ppm}
              startTime={campaign.opened_at}
              target={campaign.target_ppm}
              bounty={campaign.bounty}
              token={token}
              csv={`${api}/series.csv`}
            />
          )}
        </Loaded>
        <MoneyPanel campaign={campaign} token={token} />
      </div>
      <Parts campaign={campaign} />
    </div>
  );
}

function Head({ campaign }: { campaign: CampaignDetail }) {
  const [, setSearch] = useSearchState();
  const api = `/api/v1/campaigns/${campaign.id}`;
  const organisation = campaign.manifest?.organisation;
  return (
    <div className={css.head}>
      <div>
        <Link to="/" className={css.back}>
          <IconArrowLeft size={15} />
          Campaigns
        </Link>
        <h1>{campaignName(campaign)}</h1>
        <div className={shared.chips}>
          <StateChip state={campaign.state} />
          <RegimeChip regime={campaign.regime} />
          {organisation && <span className={shared.muted}>by {organisation.name}</span>}
          <span className={shared.muted}>
            launched <Time unix={campaign.opened_at} />
          </span>
        </div>
        {campaign.manifest?.description && <p>{campaign.manifest.description}</p>}
      </div>
      <div className={shared.chips}>
        {campaign.state === "open" && (
          <Button leftSection={<IconPlayerPlay size={16} />} onClick={() => setSearch({ tab: "join" })}>
            Join
          </Button>
        )}
        <Button
          variant="default"
          leftSection={<IconShieldCheck size={16} />}
          onClick={() => setSearch({ tab: "verify" })}
        >
          Verify
        </Button>
        <Menu position="bottom-end" shadow="md">
          <Menu.Target>
            <ActionIcon size={36} variant="default" aria-label="Feeds and files">
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item component="a" href={`${api}/feed.atom`} leftSection={<IconRss size={16} />}>
              Atom feed
            </Menu.Item>
            <Menu.Item component="a" href={`${api}/badge.svg`} leftSection={<IconShieldCheck size={16} />}>
              Badge
            </Menu.Item>
            <Menu.Item
              component="a"
              href={`${api}/submissions.csv`}
              leftSection={<IconFileTypeCsv size={16} />}
            >
              Submissions as CSV
            </Menu.Item>
            <Menu.Item component="a" href={api} leftSection={<IconBraces size={16} />}>
              This campaign as JSON
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
    </div>
  );
}

/** What a reader should know before the figures. */
function Situation({ campaign }: { campaign: CampaignDetail }) {
  const now = useNow();
  const { terms, window } = campaign;
  if (campaign.declined !== null) {
    return (
      <Notice tone="bad">
        The Capsule declined this campaign: {campaign.declined_because}. Bounty and fee go back to the owner.
      </Notice>
    );
  }
  if (campaign.state === "proposed") {
    const until = campaign.opened_at + terms.activation_seconds;
    return (
      <Notice>
        The Capsule has not activated this campaign yet.{" "}
        {until > now
          ? `It has ${duration(until - now)} left; after that the owner can take bounty and fee back.`
          : "Its time has passed: the owner can take bounty and fee back."}
      </Notice>
    );
  }
  if (campaign.state === "convicted") {
    return (
      <Notice tone="bad">The Capsule of this campaign was convicted of misconduct and lost its stake.</Notice>
    );
  }
  if (!campaign.manifest) {
    return (
      <Partial>
        The server does not have this campaign's manifest, so name, description and data schema are missing.
      </Partial>
    );
  }
  if (campaign.state === "open" && window.closes_at !== null && window.closes_at > now) {
    return (
      <Notice>
        {count(window.submissions, "submission")} in the current window, which closes in{" "}
        {duration(window.closes_at - now)}. Then the Capsule evaluates them in order.
      </Notice>
    );
  }
  return null;
}

function Tiles({ campaign }: { campaign: CampaignDetail }) {
  const token = useTokens()(campaign.token);
  const { start_ppm: start, best_ppm: best, target_ppm: target } = campaign;
  const share = sharePpm(campaign.awarded, campaign.bounty);
  const items: Figure[] = [
    {
      label: "Best accuracy",
      value: best === null ? "–" : formatPpm(best),
      note:
        best !== null && start !== null
          ? `${formatPoints(best - start)} since the start`
          : "not measured yet",
    },
    {
      label: "Target",
      value: formatPpm(target),
      note:
        best === null
          ? ""
          : best >= target
            ? "reached"
            : `${formatPoints(target - best).replace("+", "")} points to go`,
    },
    {
      label: "Earned by miners",
      value: <Amount value={campaign.awarded} token={token} places={2} />,
      note: (
        <>
          of <Amount value={campaign.bounty} token={token} places={2} />
          {share === null ? "" : ` · ${roughPpm(share)}`}
        </>
      ),
    },
    {
      label: "Accepted",
      value: integer(campaign.accepts),
      note: `of ${count(campaign.submissions, "submission")}`,
    },
    {
      label: "Miners",
      value: integer(campaign.miners),
      note: `version ${integer(campaign.version)} of the model`,
    },
    endTile(campaign),
  ];
  return <Figures items={items} />;
}

function endTile(campaign: CampaignDetail): Figure {
  if (campaign.state === "open" || campaign.state === "proposed") {
    return {
      label: "Ends",
      value: <Time unix={campaign.deadline} />,
      note: campaign.reason ? CLOSE_REASONS[campaign.reason] : "unless the target is reached",
    };
  }
  return {
    label: "Ended",
    value: <Time unix={campaign.changed_at} />,
    note: campaign.reason ? CLOSE_REASONS[campaign.reason] : "",
  };
}

interface Part {
  id: string;
  label: string;
  content: (campaign: CampaignDetail) => ReactNode;
}

const PARTS: Part[] = [
  { id: "leaderboard", label: "Leaderboard", content: campaign => <LeaderboardTab campaign={campaign} /> },
  { id: "submissions", label: "Submissions", content: campaign => <SubmissionsTab campaign={campaign} /> },
  { id: "timeline", label: "Timeline", content: campaign => <Timeline id={campaign.id} /> },
  { id: "about", label: "Model and data", content: campaign => <About campaign={campaign} /> },
  { id: "privacy", label: "Privacy", content: campaign => <PrivacyTab id={campaign.id} /> },
  { id: "capsule", label: "Capsule", content: campaign => <CapsuleTab campaign={campaign} /> },
  { id: "join", label: "Join", content: campaign => <Join campaign={campaign} /> },
  {
    id: "verify",
    label: "Verify",
    content: campaign => (
      <Suspense fallback={<Loading />}>
        <Verify campaign={campaign} />
      </Suspense>
    ),
  },
];

function Parts({ campaign }: { campaign: CampaignDetail }) {
  const [search, setSearch] = useSearchState();
  const chosen = PARTS.find(({ id }) => id === search.tab) ?? (PARTS[0] as Part);
  return (
    <Tabs
      className={css.tabs}
      value={chosen.id}
      onChange={tab =>
        setSearch({ tab: tab === "leaderboard" ? undefined : (tab ?? undefined), miner: undefined })
      }
      keepMounted={false}
    >
      <Tabs.List aria-label="Parts of the campaign" className={css.tabList}>
        {PARTS.map(({ id, label }) => (
          <Tabs.Tab key={id} value={id}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={chosen.id} className={css.tabBody}>
        {chosen.content(campaign)}
      </Tabs.Panel>
    </Tabs>
  );
}
