// Generated from openapi/public.json by `npm run api`. Do not edit.

export interface paths {
    "/api/v1/accounts/{address}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The campaigns in which an account takes part, newest first, and the calls that it may make now.
         * @description Compensation from Capsules' stakes is not included: the registry has it, under `claimable`.
         */
        get: operations["account"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/artefacts/{cid}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A live artefact, and whether the hub has it. */
        get: operations["artefact"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Campaigns, newest first or in another order. */
        get: operations["campaigns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One campaign: terms, state, money, manifest. */
        get: operations["campaign"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/badge.svg": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State and accuracy of a campaign as a small picture for web pages. */
        get: operations["badge_svg"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's events in chain order. */
        get: operations["campaign_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/feed.atom": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's milestones as an Atom feed: launch, improvements, end, delivery. The newest 50. */
        get: operations["feed_atom"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/leaderboard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's miners, those that earned most first. */
        get: operations["leaderboard"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/money": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's money equation at the newest indexed block, and the commands that prove it. */
        get: operations["money"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/privacy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What each party of a campaign can learn, what was disclosed so far, and what that rests on. */
        get: operations["campaign_privacy"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The course of a campaign for charts: accuracy and spending after each submission, at most 600 points. */
        get: operations["series"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/series.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The same points as CSV. */
        get: operations["series_csv"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/submissions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's submissions in chain order, with their public verdicts. */
        get: operations["submissions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/submissions.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All submissions of a campaign in chain order, as CSV. */
        get: operations["submissions_csv"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/campaigns/{id}/windows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A campaign's settled windows, in order. */
        get: operations["windows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/capsules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Registered Capsules, in the order of their operators' addresses. */
        get: operations["capsules"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every event of the contracts as it is indexed (server-sent events).
         * @description Begins with an `open` message. Each event has an id; a client that reconnects with `Last-Event-ID` (or `after`)
         *     misses nothing. A `rollback` message reports that the chain was rolled back: events of later blocks than the one it
         *     names are void, and the events of the new chain follow. Without a starting point the stream has only new events.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Chain, contracts, IPFS hub and state of this server. */
        get: operations["info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/miners/{address}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Submissions and earnings of a miner by campaign, newest campaign first. */
        get: operations["miner"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/relay/settlement": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submits a signed settlement to Sonar, which sends it if the window is not settled in time. */
        post: operations["relay_settlement"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/statistics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Statistics of all campaigns in a range of UTC days.
         * @description Days without events are not listed: all their counts are zero.
         */
        get: operations["statistics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Symbol and decimals of ETH, of the deployment's DataCoin, and of the tokens of campaigns. */
        get: operations["tokens"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Liveness: whether the process answers. */
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics for Prometheus. */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Readiness: whether chain, database and IPFS node answer, and the index has caught up. */
        get: operations["readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A campaign in which an account takes part. */
        AccountCampaign: {
            /** @description Calls that the contract would accept of this account now. */
            actions: components["schemas"]["Action"][];
            /** @description The campaign. */
            campaign: string;
            /** @description Stake that it can withdraw, in wei; for a Capsule also what submissions paid for its gas. */
            free_stake: string;
            /** @description Its name, if its manifest is available. */
            name?: string | null;
            /** @description Amount that it can withdraw, in the token's smallest unit. */
            owed: string;
            pending?: components["schemas"]["PendingWindow"] | null;
            /** @description The account's part; of several, the first of owner, Capsule, miner. */
            role: components["schemas"]["Role"];
            /** @description Its state. */
            state: components["schemas"]["State"];
            /** @description Token of its bounty; the zero address stands for ETH. */
            token: string;
        };
        /** @description The campaigns in which an account takes part. */
        AccountPage: {
            /** @description The account. */
            address: string;
            /** @description Its campaigns, newest first. */
            campaigns: components["schemas"]["AccountCampaign"][];
            /** @description Pass this as `after` to get older campaigns; absent on the last page. */
            next?: string | null;
        };
        /**
         * @description A call of the contract that an account may make.
         * @enum {string}
         */
        Action: "close" | "withdraw" | "withdraw_stake" | "refund" | "abandon" | "expire" | "release";
        /** @description What happened in a time. */
        Activity: {
            /**
             * Format: int32
             * @description Accepted submissions in all settled submissions, in parts per million; null if none was settled.
             */
            acceptance_ppm?: number | null;
            /**
             * Format: int64
             * @description Number of submissions that were settled as accepted.
             */
            accepted: number;
            /**
             * Format: int64
             * @description Accuracy gained by accepted submissions towards their targets, in parts per million; a point is 10,000.
             */
            accuracy_points_ppm: number;
            /** @description Events of campaigns. */
            campaigns: components["schemas"]["CampaignCounts"];
            /** @description What a point cost, by token; only tokens in which points were gained. */
            cost_per_point: components["schemas"]["PointCost"][];
            evaluation_seconds?: components["schemas"]["EvaluationTime"] | null;
            /**
             * Format: int64
             * @description Number of different accounts that submitted.
             */
            miners_active: number;
            /** @description Money by token: ETH first, then the tokens in which most points were gained; at most 50. */
            money: components["schemas"]["TokenMoney"][];
            /**
             * Format: int64
             * @description Number of submissions that were settled as not improving the model.
             */
            not_improved: number;
            /**
             * Format: int64
             * @description Number of submissions that were settled as rejected.
             */
            rejected: number;
            /**
             * Format: int64
             * @description Number of submissions.
             */
            submissions: number;
            /** @description Number of tokens with movements. */
            token_count: number;
        };
        /** @description A live artefact. */
        Artefact: {
            /**
             * Format: int64
             * @description Its size in bytes, if the hub has it.
             */
            bytes?: number | null;
            /** @description Its CID. */
            cid: string;
            /** @description Kind of artefact. */
            kind: components["schemas"]["Kind"];
            /** @description Whether the hub has it. */
            pinned: boolean;
        };
        /** @description Events of campaigns. */
        CampaignCounts: {
            /**
             * Format: int64
             * @description Activated: the Capsule measured the starting accuracy.
             */
            activated: number;
            /**
             * Format: int64
             * @description Closed: no more submissions are taken.
             */
            closed: number;
            /**
             * Format: int64
             * @description Convicted: the Capsule lost its stake for misconduct.
             */
            convicted: number;
            /**
             * Format: int64
             * @description Declined by the Capsule. Also counted as refunded.
             */
            declined: number;
            /**
             * Format: int64
             * @description Expired: the Capsule did not settle a window or did not deliver in time.
             */
            expired: number;
            /**
             * Format: int64
             * @description Finalized: the model was delivered.
             */
            finalized: number;
            /**
             * Format: int64
             * @description Launched: a bounty went into escrow.
             */
            opened: number;
            /**
             * Format: int64
             * @description Refunded without having been active: declined, or not activated in time.
             */
            refunded: number;
            /**
             * Format: int64
             * @description Released: the Capsule's fee and stake were freed after the audit period.
             */
            released: number;
        };
        /** @description Details of a campaign. */
        CampaignDetail: components["schemas"]["CampaignSummary"] & {
            /**
             * Format: int64
             * @description Unix time of the last change of state: launch, activation, closing or delivery.
             */
            changed_at: number;
            /**
             * Format: int32
             * @description Code of the Capsule's refusal.
             */
            declined?: number | null;
            /** @description The same as text. */
            declined_because?: string | null;
            last_settled?: components["schemas"]["SettledJson"] | null;
            /** @description Its ledger. */
            ledger: components["schemas"]["LedgerJson"];
            /** @description What the Capsule published for the current version. */
            material?: string | null;
            /** @description Block, time and transaction of the launch. */
            opened: components["schemas"]["PlaceJson"];
            /** @description Digest of the delivered model. */
            result?: string | null;
            stake_fate?: components["schemas"]["StakeFate"] | null;
            /** @description Stakes of submissions, in wei. */
            stakes: components["schemas"]["Stakes"];
            /** @description Its terms, which never change. */
            terms: components["schemas"]["TermsJson"];
            /** @description The current window. */
            window: components["schemas"]["WindowJson"];
        };
        /** @description One campaign. */
        CampaignPage: components["schemas"]["CampaignDetail"] & {
            /** @description The manifest, if the hub has it. */
            manifest?: Record<string, never> | null;
        };
        /** @description A campaign in a list. */
        CampaignSummary: {
            /**
             * Format: int32
             * @description Number of accepted submissions so far.
             */
            accepts: number;
            /** @description Amount of the bounty that miners have earned. */
            awarded: string;
            /**
             * Format: int32
             * @description The attested best accuracy; absent before activation.
             */
            best_ppm?: number | null;
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /** @description The Capsule's operator. */
            capsule: string;
            /**
             * Format: int64
             * @description Deadline: unix time after which no update can be submitted.
             */
            deadline: number;
            /** @description Its id. */
            id: string;
            /**
             * Format: int32
             * @description Number of accounts that have submitted.
             */
            miners: number;
            /** @description Its name, if its manifest is available. */
            name?: string | null;
            /**
             * Format: int64
             * @description Unix time of its launch.
             */
            opened_at: number;
            organisation?: components["schemas"]["Organisation"] | null;
            /** @description The data scientist. */
            owner: string;
            parent?: components["schemas"]["ParentClaim"] | null;
            reason?: components["schemas"]["CloseReason"] | null;
            regime?: components["schemas"]["Regime"] | null;
            /**
             * Format: int32
             * @description The attested starting accuracy.
             */
            start_ppm?: number | null;
            /** @description Its state. */
            state: components["schemas"]["State"];
            /**
             * Format: int32
             * @description Number of submissions so far.
             */
            submissions: number;
            /**
             * Format: int32
             * @description Target accuracy that pays the full bounty.
             */
            target_ppm: number;
            task?: components["schemas"]["TaskKind"] | null;
            /** @description Token of the bounty; the zero address stands for ETH. */
            token: string;
            /**
             * Format: int32
             * @description Current version of the model; 0 before activation.
             */
            version: number;
            /** @description Number of settled windows. */
            windows: number;
        };
        /** @description The work of a Capsule. */
        CapsuleRecord: {
            /**
             * Format: int64
             * @description Number of campaigns that it activated.
             */
            campaigns: number;
            /**
             * Format: int64
             * @description Number of campaigns for which it was convicted.
             */
            convictions: number;
            /** @description Campaigns that it declined, by reason. */
            declined: components["schemas"]["DeclineCount"][];
            /**
             * Format: int64
             * @description Number of models that it delivered.
             */
            delivered: number;
            /**
             * Format: int64
             * @description Number of campaigns that ended because it missed a deadline after the activation.
             */
            late: number;
            /** @description The part of its present stake that campaigns have locked, in wei. */
            locked: string;
            /** @description Its operator. */
            operator: string;
            /**
             * Format: int64
             * @description Number of campaigns that were launched with this Capsule.
             */
            proposed: number;
            /**
             * Format: int64
             * @description Number of windows that it settled.
             */
            settled: number;
            /** @description Its present stake in wei, including the locked part. */
            stake: string;
            /**
             * Format: int64
             * @description Number of campaigns that it neither activated nor declined before they were refunded.
             */
            unanswered: number;
        };
        /** @description A registered Capsule. */
        CapsuleSummary: {
            /** @description Its attestation key. */
            attester: string;
            /** @description Its OpenPGP certificate on IPFS. */
            certificate?: string | null;
            /** @description URL that its operator published. */
            endpoint: string;
            /**
             * Format: int32
             * @description Its fee in parts per million of the bounty.
             */
            fee_ppm: number;
            /** @description Its OpenPGP fingerprint, left-aligned. */
            fingerprint: string;
            /** @description The part of its stake that campaigns have locked, in wei. */
            locked: string;
            /** @description Its operator. */
            operator: string;
            /** @description Its stake in wei, including the locked part. */
            stake: string;
        };
        /**
         * @description Why a campaign closed, or will close when its window is settled.
         * @enum {string}
         */
        CloseReason: "none" | "target" | "deadline" | "leak_budget" | "owner" | "limit" | "capsule_timeout";
        /** @description Addresses of the contracts. */
        Contracts: {
            /**
             * Format: int64
             * @description Block of the deployment; no event is older.
             */
            block: number;
            /** @description Address of the contract Campaigns. */
            campaigns: string;
            /**
             * Format: int64
             * @description Chain id.
             */
            chain_id: number;
            /** @description Address of DataCoin. */
            datacoin: string;
            /** @description Address of CapsuleRegistry. */
            registry: string;
        };
        /** @description Statistics of a day. */
        DayReport: components["schemas"]["Activity"] & {
            /** @description The UTC day, `YYYY-MM-DD`. */
            date: string;
        };
        /** @description Campaigns that were declined for one reason. */
        DeclineCount: {
            /**
             * Format: int64
             * @description Number of campaigns.
             */
            count: number;
            /**
             * Format: int32
             * @description Code of the reason.
             */
            reason: number;
            /** @description The reason in words. */
            text: string;
        };
        /** @description State of a service. */
        Dependency: {
            /** @description Details, or why it does not answer. */
            detail: string;
            /** @description Whether it answers. */
            ok: boolean;
        };
        /** @description Quantiles of evaluation times in seconds, within 3.2 % of the exact values. */
        EvaluationTime: {
            /**
             * Format: int64
             * @description Number of settled windows.
             */
            count: number;
            /**
             * Format: int64
             * @description Half of the windows were settled within this time.
             */
            p50: number;
            /**
             * Format: int64
             * @description 95 % of the windows were settled within this time.
             */
            p95: number;
        };
        /** @description One event of the contracts. */
        EventView: {
            /** @description Block, time and transaction. */
            at: components["schemas"]["PlaceJson"];
            /** @description The campaign that it concerns. */
            campaign?: string | null;
            /** @description Its fields, as in the contracts' ABI but in snake case. */
            data: Record<string, never>;
            /** @description Its id, to be passed as `after` or `Last-Event-ID`. */
            id: string;
            /** @description Its name. */
            kind: string;
        };
        /** @description Progress of the index. */
        IndexHealth: {
            /**
             * Format: int64
             * @description The newest indexed block.
             */
            block?: number | null;
            /** @description Whether this server follows the chain. Otherwise it reads what another server writes to their database. */
            follows: boolean;
            /**
             * Format: int64
             * @description Blocks that are not indexed yet.
             */
            lag?: number | null;
            /** @description Whether the database answers and the index has caught up. */
            ok: boolean;
        };
        /** @description Chain, contracts, IPFS hub and state of this server. */
        Info: {
            /**
             * Format: int64
             * @description Number of the newest indexed block; 0 before the first.
             */
            block: number;
            /** @description Number of campaigns. */
            campaigns: number;
            /**
             * Format: int64
             * @description The chain.
             */
            chain_id: number;
            /** @description The contracts on it. */
            contracts: components["schemas"]["Contracts"];
            /**
             * Format: int64
             * @description Number of the newest block of the chain that this server has seen.
             */
            head: number;
            /** @description Addresses of the IPFS hub. */
            ipfs: string[];
            /** @description Whether this server relays settlements. */
            relay: boolean;
            /**
             * Format: int64
             * @description Seconds since the server started.
             */
            uptime_seconds: number;
            /** @description Version of the program. */
            version: string;
        };
        /** @description State of the hub. */
        IpfsHealth: {
            /**
             * Format: int64
             * @description Their total size in bytes.
             */
            bytes: number;
            /** @description Number of live artefacts that the hub does not have yet. */
            missing: number;
            /** @description Whether the node works. */
            ok: boolean;
            /** @description Number of live artefacts that the hub has. */
            pinned: number;
        };
        /**
         * @description Kind of artefact.
         * @enum {string}
         */
        Kind: "certificate" | "manifest" | "bundle" | "backbone" | "material" | "update" | "result";
        /** @description A page of the miners of a campaign. */
        Leaderboard: {
            /** @description Miners of the page, those that earned most first. */
            items: components["schemas"]["LeaderboardRow"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /** @description What a rank means. */
            note: string;
            /**
             * Format: int32
             * @description Number of accounts that have submitted.
             */
            total: number;
        };
        /** @description A miner of a campaign. */
        LeaderboardRow: {
            /**
             * Format: int32
             * @description Number of accepted submissions.
             */
            accepted: number;
            /**
             * Format: int32
             * @description Improvement of the best accuracy towards the target, in parts per million.
             */
            delta_ppm: number;
            /** @description Earnings, in the smallest unit of the campaign's token. */
            earned: string;
            /**
             * Format: int64
             * @description Unix time of its newest submission.
             */
            last_seen: number;
            /** @description The account. */
            miner: string;
            /** @description Place by earnings, then by accepted submissions; the first is 1. */
            rank: number;
            /**
             * Format: int32
             * @description Its part of all earnings in the campaign, in parts per million; null while nobody has earned.
             */
            share_ppm?: number | null;
            /**
             * Format: int32
             * @description Number of submissions.
             */
            submitted: number;
        };
        /** @description The ledger of a campaign: `deposited = paid + owed + refunded + fee + escrowed`. */
        LedgerJson: {
            /** @description Bounty plus fee. */
            deposited: string;
            /** @description Amount still in escrow. */
            escrowed: string;
            /** @description Amount credited to the Capsule. */
            fee: string;
            /** @description Amount that miners can withdraw. */
            owed: string;
            /** @description Amount that miners have withdrawn. */
            paid: string;
            /** @description Amount credited back to the owner. */
            refunded: string;
        };
        /** @description Submissions and earnings of a miner. */
        Miner: {
            /** @description The account. */
            address: string;
            /** @description By campaign, newest first. */
            campaigns: components["schemas"]["MinerCampaign"][];
            /** @description Pass this as `after` to get older campaigns; absent on the last page. */
            next?: string | null;
        };
        /** @description Submissions and earnings of a miner in one campaign. */
        MinerCampaign: {
            /**
             * Format: int32
             * @description Number of accepted submissions.
             */
            accepted: number;
            /** @description The campaign. */
            campaign: string;
            /**
             * Format: int32
             * @description Improvement of the best accuracy towards the target, in parts per million.
             */
            delta_ppm: number;
            /** @description Earnings. */
            earned: string;
            /** @description Amount that the account can withdraw. */
            owed: string;
            /** @description Its stakes, in wei. */
            stakes: components["schemas"]["Stakes"];
            /**
             * Format: int32
             * @description Number of submissions.
             */
            submitted: number;
            /** @description Token of its bounty. */
            token: string;
            /** @description Amount that the account has withdrawn. */
            withdrawn: string;
        };
        /** @description Whether the model can be called secret. */
        ModelSecrecy: {
            /** @description Minimum number of weights of a secret model, whatever the encryption. */
            least_weights: number;
            /** @description Number of weights of the backbone, which are public; `None` without a backbone. */
            public_weights: number;
            /** @description Whether the model can be called secret. */
            secret: boolean;
            /** @description Number of weights of the model. */
            weights: number;
        };
        /** @description The money of a campaign at a block: `deposited = paid + owed + refunded + fee + escrowed`. */
        Money: components["schemas"]["LedgerJson"] & {
            /** @description Whether the equation holds. */
            adds_up: boolean;
            /**
             * Format: int64
             * @description Number of the block that the amounts are of.
             */
            block: number;
            /**
             * @description Commands (Foundry's `cast`) that check the answer against a chain node of one's own: the first returns the
             *     campaign's id for these terms, the second its amounts in the order of the equation.
             */
            calls: string[];
            /** @description Token of all amounts; the zero address stands for ETH. */
            token: string;
        };
        /** @description An organisation, as the owner of a campaign names it: unverified. */
        Organisation: {
            /** @description A web page about it. */
            link?: string | null;
            /** @description Its name. */
            name: string;
        };
        /** @description A page of a list. */
        Page_CampaignSummary: {
            /** @description Items of the page. */
            items: {
                /**
                 * Format: int32
                 * @description Number of accepted submissions so far.
                 */
                accepts: number;
                /** @description Amount of the bounty that miners have earned. */
                awarded: string;
                /**
                 * Format: int32
                 * @description The attested best accuracy; absent before activation.
                 */
                best_ppm?: number | null;
                /** @description The bounty in the token's smallest unit. */
                bounty: string;
                /** @description The Capsule's operator. */
                capsule: string;
                /**
                 * Format: int64
                 * @description Deadline: unix time after which no update can be submitted.
                 */
                deadline: number;
                /** @description Its id. */
                id: string;
                /**
                 * Format: int32
                 * @description Number of accounts that have submitted.
                 */
                miners: number;
                /** @description Its name, if its manifest is available. */
                name?: string | null;
                /**
                 * Format: int64
                 * @description Unix time of its launch.
                 */
                opened_at: number;
                organisation?: components["schemas"]["Organisation"] | null;
                /** @description The data scientist. */
                owner: string;
                parent?: components["schemas"]["ParentClaim"] | null;
                reason?: components["schemas"]["CloseReason"] | null;
                regime?: components["schemas"]["Regime"] | null;
                /**
                 * Format: int32
                 * @description The attested starting accuracy.
                 */
                start_ppm?: number | null;
                /** @description Its state. */
                state: components["schemas"]["State"];
                /**
                 * Format: int32
                 * @description Number of submissions so far.
                 */
                submissions: number;
                /**
                 * Format: int32
                 * @description Target accuracy that pays the full bounty.
                 */
                target_ppm: number;
                task?: components["schemas"]["TaskKind"] | null;
                /** @description Token of the bounty; the zero address stands for ETH. */
                token: string;
                /**
                 * Format: int32
                 * @description Current version of the model; 0 before activation.
                 */
                version: number;
                /** @description Number of settled windows. */
                windows: number;
            }[];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /**
             * Format: int64
             * @description Length of the whole list; absent for events, which are not counted.
             */
            total?: number | null;
        };
        /** @description A page of a list. */
        Page_CapsuleSummary: {
            /** @description Items of the page. */
            items: {
                /** @description Its attestation key. */
                attester: string;
                /** @description Its OpenPGP certificate on IPFS. */
                certificate?: string | null;
                /** @description URL that its operator published. */
                endpoint: string;
                /**
                 * Format: int32
                 * @description Its fee in parts per million of the bounty.
                 */
                fee_ppm: number;
                /** @description Its OpenPGP fingerprint, left-aligned. */
                fingerprint: string;
                /** @description The part of its stake that campaigns have locked, in wei. */
                locked: string;
                /** @description Its operator. */
                operator: string;
                /** @description Its stake in wei, including the locked part. */
                stake: string;
            }[];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /**
             * Format: int64
             * @description Length of the whole list; absent for events, which are not counted.
             */
            total?: number | null;
        };
        /** @description A page of a list. */
        Page_EventView: {
            /** @description Items of the page. */
            items: {
                /** @description Block, time and transaction. */
                at: components["schemas"]["PlaceJson"];
                /** @description The campaign that it concerns. */
                campaign?: string | null;
                /** @description Its fields, as in the contracts' ABI but in snake case. */
                data: Record<string, never>;
                /** @description Its id, to be passed as `after` or `Last-Event-ID`. */
                id: string;
                /** @description Its name. */
                kind: string;
            }[];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /**
             * Format: int64
             * @description Length of the whole list; absent for events, which are not counted.
             */
            total?: number | null;
        };
        /** @description A page of a list. */
        Page_SettledJson: {
            /** @description Items of the page. */
            items: {
                /** @description Block, time and transaction of its settlement. */
                at: components["schemas"]["PlaceJson"];
                /**
                 * Format: int32
                 * @description Best accuracy after it.
                 */
                best_ppm: number;
                /**
                 * Format: int32
                 * @description Its index.
                 */
                index: number;
                /** @description Number of its submissions. */
                submissions: number;
                /**
                 * Format: int32
                 * @description The version that its submissions were for.
                 */
                version: number;
            }[];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /**
             * Format: int64
             * @description Length of the whole list; absent for events, which are not counted.
             */
            total?: number | null;
        };
        /** @description A page of a list. */
        Page_SubmissionView: {
            /** @description Items of the page. */
            items: {
                /** @description Block, time and transaction of the submission. */
                at: components["schemas"]["PlaceJson"];
                /** @description Digest of the sealed update on IPFS. */
                content: string;
                /**
                 * Format: int32
                 * @description Its place in the window.
                 */
                index: number;
                /** @description Address of the miner. */
                miner: string;
                /**
                 * Format: int32
                 * @description Number among the campaign's submissions; the first is 1.
                 */
                number: number;
                /** @description Outcome. */
                verdict: components["schemas"]["Verdict"];
                /**
                 * Format: int32
                 * @description The version that it is for.
                 */
                version: number;
                /**
                 * Format: int32
                 * @description Index of its window.
                 */
                window: number;
            }[];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
            /**
             * Format: int64
             * @description Length of the whole list; absent for events, which are not counted.
             */
            total?: number | null;
        };
        /** @description The campaign that a campaign starts from, according to its owner. */
        ParentClaim: {
            /** @description Id of the parent campaign. */
            id: string;
            /**
             * @description Whether the chain agrees: the parent is a campaign of the same owner, and had delivered its model before this
             *     campaign was launched. That the starting model is that model remains the owner's word.
             */
            verified: boolean;
        };
        /** @description What one party learns. */
        PartyStatement: {
            /** @description What the party learns. */
            learns: string;
            /** @description What the party does not learn. */
            never_learns: string;
            /** @description Party. */
            party: string;
            /** @description What that rests on. */
            rests_on: string;
        };
        /** @description A window that waits for its settlement, as the contract expects it. */
        PendingWindow: {
            /** @description The window's hash while it was empty. */
            start: string;
            /** @description Its submissions in chain order. */
            submissions: components["schemas"]["SubmissionJson"][];
        };
        /** @description Place of an event on the chain. */
        PlaceJson: {
            /**
             * Format: int64
             * @description Number of the block.
             */
            block: number;
            /**
             * Format: int64
             * @description Unix time of the block.
             */
            time: number;
            /** @description Hash of the transaction. */
            transaction: string;
        };
        /** @description What a point of accuracy cost. */
        PointCost: {
            /** @description Earnings for each percentage point gained, in the token's smallest unit, rounded down. */
            amount: string;
            /** @description The token; the zero address stands for ETH. */
            token: string;
        };
        /** @description What each party of a campaign can learn, and what that rests on. */
        PrivacyStatement: {
            /** @description Whether the model can be called secret. */
            model: components["schemas"]["ModelSecrecy"];
            /** @description What each party learns. */
            parties: components["schemas"]["PartyStatement"][];
            /** @description Regime: `encrypted` (Mines never see the model) or `clear` (the model is public). */
            regime: components["schemas"]["Regime"];
            /** @description Hardness figures, each under its cost model. */
            security: components["schemas"]["SecurityFigure"][];
            /** @description What public verdicts can disclose: about model and keys, or in the clear regime about the validation set. */
            transcript: components["schemas"]["TranscriptBits"];
            /** @description What updates disclose about a Mine's data to the Capsule. */
            updates: components["schemas"]["UpdateSecrecy"];
        };
        /** @description An error response (RFC 9457). */
        Problem: {
            /**
             * @description Stable name of the problem, as on the command line.
             * @example NOT_FOUND
             */
            code: string;
            /** @description What was wrong, where, and what to do. */
            detail: string;
            /** @description Whether the same request may succeed later. */
            retryable: boolean;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description Reason phrase of the HTTP status. */
            title: string;
            /** @description Always `about:blank`: `code` identifies the problem. */
            type: string;
        };
        /** @description The published material of a version, and the Capsule's commitments. */
        Published: {
            /** @description Hash of the hand-over of the version's seed. */
            handover: string;
            /** @description Digest of the material on IPFS. */
            material: string;
            /** @description Merkle root over the material's chunks. */
            root: string;
        };
        /** @description State of the server and of the services that it needs. */
        Readiness: {
            /** @description The chain. */
            chain: components["schemas"]["Dependency"];
            /** @description The index. */
            index: components["schemas"]["IndexHealth"];
            /** @description The IPFS node. */
            ipfs: components["schemas"]["IpfsHealth"];
            /** @description Whether all services answer, and the index has caught up. */
            ready: boolean;
            /** @description Reasons; empty if ready. */
            reasons: string[];
            /** @description The relay and its account. */
            relay: boolean;
        };
        /**
         * @description Who may see the model.
         * @enum {string}
         */
        Regime: "encrypted" | "clear";
        /** @description A pending settlement. */
        RelayReceipt: {
            /** @description The campaign. */
            campaign: string;
            /**
             * Format: int64
             * @description Unix time after which Sonar sends it, unless the window is settled by then.
             */
            send_after: number;
            /**
             * Format: int32
             * @description The window.
             */
            window: number;
        };
        /**
         * @description The part that an account has in a campaign.
         * @enum {string}
         */
        Role: "owner" | "capsule" | "miner";
        /** @description Estimated hardness of an attack. */
        SecurityFigure: {
            /**
             * Format: int32
             * @description Work in bits (a power of two).
             */
            bits: number;
            /** @description Cost model. */
            cost_model: string;
            /** @description Goal of the attack. */
            what: string;
        };
        /** @description The course of a campaign. */
        Series: {
            /** @description Whether every submission has a point. */
            complete: boolean;
            /** @description Points in chain order, at most 600. The first, the last and every accepted submission are among them. */
            points: components["schemas"]["SeriesPoint"][];
            /**
             * Format: int32
             * @description Number of submissions so far.
             */
            submissions: number;
        };
        /** @description A submission, and where the campaign stands after it. */
        SeriesPoint: {
            /** @description Payout, if it was accepted. */
            amount?: string | null;
            /**
             * Format: int32
             * @description Best accuracy after the submission.
             */
            best_ppm: number;
            /**
             * Format: int32
             * @description Improvement towards the target, if it was accepted.
             */
            delta_ppm?: number | null;
            /** @description Address of the miner. */
            miner: string;
            /**
             * Format: int32
             * @description Number among the campaign's submissions; the first is 1.
             */
            number: number;
            /** @description Earnings of all accepted submissions up to this one. */
            spent: string;
            /**
             * Format: int64
             * @description Unix time of the submission.
             */
            time: number;
            /** @description Outcome. */
            verdict: components["schemas"]["VerdictKind"];
        };
        /** @description A settled window. */
        SettledJson: {
            /** @description Block, time and transaction of its settlement. */
            at: components["schemas"]["PlaceJson"];
            /**
             * Format: int32
             * @description Best accuracy after it.
             */
            best_ppm: number;
            /**
             * Format: int32
             * @description Its index.
             */
            index: number;
            /** @description Number of its submissions. */
            submissions: number;
            /**
             * Format: int32
             * @description The version that its submissions were for.
             */
            version: number;
        };
        /** @description A Capsule's signed settlement of a window. */
        SettlementRequest: {
            /**
             * Format: int32
             * @description 0, or the reason to close.
             */
            close?: number;
            next?: components["schemas"]["Published"] | null;
            /** @description Outcome codes, as on chain. */
            outcomes: number[];
            /** @description The attester's EIP-712 signature. */
            signature: string;
            /** @description The window's submissions in chain order. */
            submissions: components["schemas"]["SubmissionJson"][];
            /** @description The campaign's terms. */
            terms: components["schemas"]["TermsJson"];
            /** @description The window's hash while it was empty. */
            window_start: string;
        };
        /** @description What happened to the stake of a Capsule after the delivery. */
        StakeFate: {
            /** @enum {string} */
            kind: "released";
        } | {
            /** @enum {string} */
            kind: "convicted";
            /**
             * Format: int32
             * @description The version.
             */
            version: number;
        };
        /** @description Stakes of submissions, in wei. Over a whole campaign `deposited = held + free + charged + withdrawn`. */
        Stakes: {
            /** @description Paid by submissions that were not accepted. */
            charged: string;
            /** @description Deposited with submissions. */
            deposited: string;
            /** @description Returned: used for the next submissions, or can be withdrawn. */
            free: string;
            /** @description Held for unsettled submissions. */
            held: string;
            /** @description Withdrawn. */
            withdrawn: string;
        };
        /**
         * @description State of a campaign.
         * @enum {string}
         */
        State: "none" | "proposed" | "open" | "closed" | "finalized" | "refunded" | "released" | "convicted";
        /** @description Number of campaigns by state. */
        StateCounts: {
            /**
             * Format: int64
             * @description Taking no more submissions, and not delivered.
             */
            closed: number;
            /**
             * Format: int64
             * @description Delivered, and the Capsule was convicted.
             */
            convicted: number;
            /**
             * Format: int64
             * @description Delivered, in the audit period.
             */
            finalized: number;
            /**
             * Format: int64
             * @description Taking submissions.
             */
            open: number;
            /**
             * Format: int64
             * @description Not activated yet.
             */
            proposed: number;
            /**
             * Format: int64
             * @description Refunded before they were active.
             */
            refunded: number;
            /**
             * Format: int64
             * @description Delivered, and the Capsule's stake is free again.
             */
            released: number;
        };
        /** @description Statistics of all campaigns in a range of UTC days. */
        StatisticsReport: {
            /**
             * Format: int64
             * @description Number of the newest block that is counted.
             */
            block: number;
            /** @description The days of the range on which something happened, in order. All counts of other days are zero. */
            days: components["schemas"]["DayReport"][];
            /** @description First day of the range, `YYYY-MM-DD`. */
            from: string;
            /** @description Last day of the range, included. */
            to: string;
            /** @description The whole range. */
            total: components["schemas"]["StatisticsTotal"];
        };
        /** @description Statistics of a whole range. */
        StatisticsTotal: components["schemas"]["Activity"] & {
            /** @description Number of campaigns in each state at the end of the range. */
            by_state: components["schemas"]["StateCounts"];
            /** @description Number of Capsules with campaigns in the range. */
            capsule_count: number;
            /** @description The Capsules, those that settled most first: at most 100. */
            capsules: components["schemas"]["CapsuleRecord"][];
        };
        /** @description A submission in the form of the contract. */
        SubmissionJson: {
            /** @description Digest of the sealed update on IPFS. */
            content: string;
            /** @description Address of the miner. */
            miner: string;
        };
        /**
         * @description A submission and its public verdict. Nothing else about a submission that did not improve the model is ever
         *     published.
         */
        SubmissionView: {
            /** @description Block, time and transaction of the submission. */
            at: components["schemas"]["PlaceJson"];
            /** @description Digest of the sealed update on IPFS. */
            content: string;
            /**
             * Format: int32
             * @description Its place in the window.
             */
            index: number;
            /** @description Address of the miner. */
            miner: string;
            /**
             * Format: int32
             * @description Number among the campaign's submissions; the first is 1.
             */
            number: number;
            /** @description Outcome. */
            verdict: components["schemas"]["Verdict"];
            /**
             * Format: int32
             * @description The version that it is for.
             */
            version: number;
            /**
             * Format: int32
             * @description Index of its window.
             */
            window: number;
        };
        /**
         * @description Kind of a task.
         * @enum {string}
         */
        TaskKind: "classification" | "regression";
        /** @description The terms of a campaign, which never change. */
        TermsJson: {
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to activate the campaign.
             */
            activation_seconds: number;
            /** @description Merkle root over the audit keys; zero without audit keys. */
            audit_keys: string;
            /**
             * Format: int32
             * @description Audit period in seconds: how long the Capsule's fee and stake stay locked after the delivery.
             */
            audit_seconds: number;
            /** @description The operator who verifies the Capsule; the zero address in mode 0. */
            auditor?: string;
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /**
             * Format: int32
             * @description Maximum number of submissions of one miner per version.
             */
            cap_per_version: number;
            /** @description The Capsule's operator. */
            capsule: string;
            /**
             * Format: int64
             * @description Deadline: unix time after which no update can be submitted.
             */
            deadline: number;
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to deliver after the campaign has closed.
             */
            delivery_seconds: number;
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to settle a closed window.
             */
            evaluation_seconds: number;
            /**
             * Format: int32
             * @description The Capsule's fee in parts per million of the bounty.
             */
            fee_ppm: number;
            /**
             * Format: int32
             * @description Accuracy grid: attested accuracies are multiples of this.
             */
            grid_ppm: number;
            /** @description Digest of the manifest on IPFS. */
            manifest: string;
            /**
             * Format: int32
             * @description Maximum number of accepted submissions.
             */
            max_accepts: number;
            /**
             * Format: int32
             * @description Maximum number of submissions.
             */
            max_submissions: number;
            /**
             * Format: int32
             * @description Who verifies the Capsule; 0, the only mode yet, is the owner's audit alone.
             */
            mode?: number;
            /** @description The data scientist. */
            owner: string;
            /** @description Salt that distinguishes campaigns with otherwise equal terms. */
            salt: string;
            /** @description Part of the Capsule's stake that the campaign locks, in wei. */
            stake: string;
            /**
             * Format: int32
             * @description Claimed starting accuracy.
             */
            start_ppm: number;
            /** @description Stake that a miner deposits with a submission, in wei. */
            submission_stake: string;
            /**
             * Format: int32
             * @description Target accuracy that pays the full bounty.
             */
            target_ppm: number;
            /** @description ERC-20 of the bounty; the zero address stands for ETH. */
            token: string;
            /**
             * Format: int32
             * @description Tolerance: maximum difference of the measured starting accuracy from the claim.
             */
            tolerance_ppm: number;
            /**
             * Format: int32
             * @description Time in seconds from the first submission of a window until it closes.
             */
            window_seconds: number;
            /**
             * Format: int32
             * @description Number of submissions that fill a window.
             */
            window_size: number;
        };
        /** @description A token. */
        Token: {
            /** @description Its contract; the zero address stands for ETH. */
            address: string;
            /**
             * Format: int32
             * @description One token is 10^decimals of the smallest unit; 0 if it cannot be read.
             */
            decimals: number;
            /** @description Its symbol; `units` if it cannot be read. */
            symbol: string;
            /** @description Whether symbol and decimals can be trusted: those of other tokens are what a stranger chose. */
            verified: boolean;
        };
        /** @description Movements of campaigns' money in one token, in its smallest unit. */
        TokenMoney: {
            /** @description Earnings of accepted submissions, withdrawn or not. */
            earned: string;
            /** @description Bounties and fees that went into escrow. */
            escrowed: string;
            /** @description Fees that were credited to Capsules. */
            fees: string;
            /** @description Earnings that were withdrawn by miners. */
            paid: string;
            /** @description Amounts that were credited back to owners. */
            refunded: string;
            /** @description The token; the zero address stands for ETH. */
            token: string;
        };
        /** @description Tokens of campaigns. */
        Tokens: {
            /** @description ETH, the deployment's DataCoin, and the tokens of campaigns, those with the most campaigns first; at most 200. */
            items: components["schemas"]["Token"][];
        };
        /** @description Bits that the public transcript can disclose. */
        TranscriptBits: {
            /**
             * Format: double
             * @description In the whole campaign, within its limits.
             */
            allowed: number;
            /**
             * Format: double
             * @description Maximum of any campaign.
             */
            hard_limit: number;
            /**
             * Format: double
             * @description In the rest of the campaign.
             */
            left: number;
            /**
             * Format: double
             * @description So far.
             */
            spent: number;
        };
        /** @description What the encryption of updates hides, and what it does not. */
        UpdateEncryption: {
            /**
             * Format: double
             * @description The δ.
             */
            ciphertext_delta: number;
            /**
             * Format: double
             * @description The ciphertexts disclose no more than (ε, δ)-differential privacy allows, in addition to the updates: the ε for
             *     all uploads.
             */
            ciphertext_epsilon: number;
            /**
             * @description Number of updates of one Mine from which the average products of its columns can be computed, if they have no
             *     noise for privacy.
             */
            solvable_from: number;
        };
        /** @description What updates disclose about a Mine's data when they are decrypted. */
        UpdateSecrecy: {
            encryption?: components["schemas"]["UpdateEncryption"] | null;
            /**
             * Format: int32
             * @description Maximum number of updates of one Mine: one per version.
             */
            most_uploads: number;
        };
        /** @description Outcome of a submission. */
        Verdict: {
            /** @enum {string} */
            is: "pending";
        } | {
            /** @enum {string} */
            is: "not_improved";
        } | {
            /** @description Payout. */
            amount: string;
            /**
             * Format: int32
             * @description The new best accuracy.
             */
            best_ppm: number;
            /**
             * Format: int32
             * @description Improvement of the best accuracy towards the target, in parts per million.
             */
            delta_ppm: number;
            /** @enum {string} */
            is: "accepted";
        } | {
            /** @enum {string} */
            is: "rejected";
            /**
             * Format: int32
             * @description Stable code of the reason.
             */
            reason: number;
        };
        /**
         * @description Outcome of a submission, in a word.
         * @enum {string}
         */
        VerdictKind: "pending" | "not_improved" | "accepted" | "rejected";
        /** @description A campaign's current window. */
        WindowJson: {
            /**
             * Format: int64
             * @description Unix time at which it closes or has closed; absent while it is empty.
             */
            closes_at?: number | null;
            /**
             * Format: int32
             * @description Its index.
             */
            index: number;
            /** @description Number of its submissions. */
            submissions: number;
            /**
             * Format: int32
             * @description The version that its submissions are for.
             */
            version: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    account: {
        parameters: {
            query?: {
                /** @description Start after this item: `next` of the previous page. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Account */
                address: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountPage"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description `after` is not a campaign */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    artefact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description CID, or digest as on chain */
                cid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Artefact"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    campaigns: {
        parameters: {
            query?: {
                /** @description Only campaigns whose name, id, or address of owner or Capsule contains this text. */
                q?: string;
                /**
                 * @description Only campaigns in this state.
                 * @example open
                 */
                state?: components["schemas"]["State"];
                /** @description Only campaigns of this regime. */
                regime?: components["schemas"]["Regime"];
                /** @description Only campaigns with this kind of prediction. */
                task?: components["schemas"]["TaskKind"];
                /** @description Order of the list (default: newest first). */
                sort?: "new" | "old" | "deadline" | "bounty" | "accuracy" | "submissions" | "miners" | "progress";
                /** @description Only campaigns of this data scientist. */
                owner?: string;
                /** @description Only campaigns of this Capsule. */
                capsule?: string;
                /** @description Only campaigns with bounties in this token (zero address: ETH). */
                token?: string;
                /** @description Start after this campaign. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_CampaignSummary"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    campaign: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CampaignPage"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    badge_svg: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/svg+xml": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    campaign_events: {
        parameters: {
            query?: {
                /**
                 * @description Only events with this name.
                 * @example submitted
                 */
                kind?: string;
                /** @description Only events that concern this account. */
                account?: string;
                /** @description Start after the event with this id. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_EventView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    feed_atom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/atom+xml": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    leaderboard: {
        parameters: {
            query?: {
                /** @description Start after this item: `next` of the previous page. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Leaderboard"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    money: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Money"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    campaign_privacy: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PrivacyStatement"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description No such campaign, or the hub does not have its manifest */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    series: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Series"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    series_csv: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    submissions: {
        parameters: {
            query?: {
                /** @description Only submissions of this miner. */
                miner?: string;
                /** @description Start after the submission with this number. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SubmissionView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    submissions_csv: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    windows: {
        parameters: {
            query?: {
                /** @description Start after this item: `next` of the previous page. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_SettledJson"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    capsules: {
        parameters: {
            query?: {
                /** @description Start after this item: `next` of the previous page. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_CapsuleSummary"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description Only events of this campaign. */
                campaign?: string;
                /**
                 * @description Only events with this name.
                 * @example settled
                 */
                kind?: string;
                /** @description Only events that concern this account. */
                account?: string;
                /** @description Start after the event with this id; `0-0` is before all events. */
                after?: string;
            };
            header?: {
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
        };
    };
    miner: {
        parameters: {
            query?: {
                /** @description Start after this item: `next` of the previous page. */
                after?: string;
                /** @description Maximum number of items, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Account */
                address: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Miner"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    relay_settlement: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SettlementRequest"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RelayReceipt"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The contract would refuse the settlement */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    statistics: {
        parameters: {
            query?: {
                /**
                 * @description First UTC day, `YYYY-MM-DD` (default: the first day with an event).
                 * @example 2026-11-01
                 */
                from?: string;
                /**
                 * @description Last UTC day, included (default: the last day with an event).
                 * @example 2026-11-30
                 */
                to?: string;
                /** @description Form of the answer: `json`, or `csv` with a row for each day on which something happened. */
                format?: "json" | "csv";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatisticsReport"];
                    "text/csv": string;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tokens"];
                };
            };
        };
    };
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
}
