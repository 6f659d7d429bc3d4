// Generated from openapi/mine.json by `npm run api`. Do not edit.

export interface paths {
    "/api/mine/campaigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All campaigns with the Mine's decisions, newest first. */
        get: operations["mine_campaigns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/data": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The data sets: names, columns and statistics, without rows. */
        get: operations["mine_data"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Checks keys, chain, IPFS, certificates, clock, disk and versions. */
        get: operations["mine_doctor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/earnings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Earnings, gas and stakes, down to each settlement. */
        get: operations["mine_earnings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Notices of changes: `status`, `campaigns`, `jobs` and `earnings`, each with an id to resume from; `open` first. */
        get: operations["mine_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The last 200 steps, newest first. */
        get: operations["mine_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pauses the Mine. What was submitted or made is still followed to its settlement. */
        post: operations["mine_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/privacy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was disclosed about each data set, and what is left of its budget. */
        get: operations["mine_privacy"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the pause. */
        post: operations["mine_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the Mine does now, and what it needs. */
        get: operations["mine_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/mine/withdraw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What can be withdrawn, and what that costs. */
        get: operations["mine_withdraw_preview"];
        put?: never;
        /** Withdraws to the Mine's own account. Needs the passphrase, entered in the last 15 minutes. */
        post: operations["mine_withdraw"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The session of this browser. */
        get: operations["session"];
        put?: never;
        /** Exchanges the launch token for a session. A token works once. */
        post: operations["open_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session/passphrase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Enters the passphrase, which permits actions that spend for 15 minutes. */
        post: operations["reauthenticate"];
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
        /** @description A campaign, and what the Mine decided about it. */
        Campaign: {
            /**
             * Format: int32
             * @description Best accuracy.
             */
            best_ppm: number;
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /** @description Its id. */
            campaign: string;
            /**
             * Format: int32
             * @description Number of other accounts that have submitted.
             */
            competitors: number;
            /**
             * Format: int64
             * @description Unix time of the deadline.
             */
            deadline: number;
            decision: components["schemas"]["Decision"] | null;
            /** @description What this Mine earned in the token's smallest unit. */
            earned: string;
            fit: components["schemas"]["DataFit"] | null;
            /** @description Its name; `null` until its manifest is fetched. */
            name: string | null;
            /** @description Regime: `encrypted` or `clear`; `null` until its manifest is fetched. */
            regime: string | null;
            /** @description State: `proposed`, `open`, `closed`, `finalized`, `refunded`, `released` or `convicted`. */
            state: string;
            /** @description Stake of one submission in wei. */
            submission_stake: string;
            /**
             * Format: int32
             * @description Number of this Mine's submissions.
             */
            submitted: number;
            /**
             * Format: int32
             * @description Accuracy that pays the full bounty.
             */
            target_ppm: number;
            /** @description Token of the bounty. */
            token: components["schemas"]["Token"];
            /** @description What went wrong last; `null` after a success. */
            trouble: string | null;
            /**
             * Format: int32
             * @description Current version of the model; 0 before activation.
             */
            version: number;
        };
        /** @description All campaigns, newest first. */
        CampaignList: {
            /** @description The campaigns. */
            items: components["schemas"]["Campaign"][];
        };
        /** @description The connection to the chain. */
        ChainStatus: {
            /**
             * Format: int64
             * @description Seconds since that block was first seen; `null` until the chain was read.
             */
            age_seconds: number | null;
            /**
             * Format: int64
             * @description Number of the newest block; `null` until the chain was read.
             */
            block: number | null;
            /** @description Whether the last query succeeded. */
            ok: boolean;
            /** @description Why the chain cannot be read. */
            problem: string | null;
        };
        /** @description The result of one check. */
        Check: {
            /** @description What was found. */
            detail: string;
            /** @description What to do; `null` if all is well. */
            fix: string | null;
            /**
             * @description Stable name: `keys`, `vault`, `config`, `disk`, `sonar`, `chain`, `contracts`, `head`, `clock`, `balance`, `events`,
             *     `ipfs`, `capsules` or `version`.
             */
            name: string;
            /** @description Whether all is well. */
            ok: boolean;
        };
        /**
         * @description Kind of a column.
         * @enum {string}
         */
        ColumnKind: "number" | "labels" | "text";
        /** @description A column of a data set, with statistics from its profile. */
        DataColumn: {
            kind: components["schemas"]["ColumnKind"] | null;
            /** @description Number of its labels; `null` if it has many different values. */
            labels: number | null;
            /**
             * Format: double
             * @description Maximum, rounded up; `null` unless it has numbers.
             */
            max: number | null;
            /**
             * Format: double
             * @description Minimum, rounded down; `null` unless it has numbers.
             */
            min: number | null;
            /** @description Its name. */
            name: string;
        };
        /** @description How the data sets fit a campaign, by their profiles. */
        DataFit: {
            /** @description The data sets that fit. */
            data: string[];
            /** @description Whether at least one fits. */
            ok: boolean;
            /** @description Why none fits, one reason per line; `null` if one does. */
            reason: string | null;
            /** @description Number of rows that fit. */
            rows: number;
        };
        /** @description A data set, without its rows. */
        DataSet: {
            /**
             * Format: int64
             * @description Unix time at which it was added.
             */
            added: number;
            /** @description Size as CSV in bytes. */
            bytes: number;
            /** @description Its columns, in their order. */
            columns: components["schemas"]["DataColumn"][];
            /** @description Its name. */
            name: string;
            /** @description Number of its rows. */
            rows: number;
        };
        /** @description The data sets. */
        DataSetList: {
            /** @description By name. */
            items: components["schemas"]["DataSet"][];
        };
        /** @description Payouts of one day in one token. */
        DayEarnings: {
            /** @description The day in UTC, as `2026-01-31`. */
            date: string;
            /** @description Sum of the payouts that were settled on this day. */
            earned: string;
            /** @description The token. */
            token: components["schemas"]["Token"];
        };
        /** @description Cost of gas on one day. */
        DayGas: {
            /** @description The day in UTC, as `2026-01-31`. */
            date: string;
            /** @description Sum in wei. */
            wei: string;
        };
        /** @description A decision of the Mine. */
        Decision: {
            /** @description Kind. */
            kind: components["schemas"]["DecisionKind"];
            /** @description Stable name of the action or reason, such as `train`, `cool_down` or `policy`. */
            reason: string;
            /** @description Stable name of the rule or problem behind the reason; `null` if there is none. */
            rule: string | null;
            /** @description The same as text, with what ends or changes it. */
            text: string;
        };
        /**
         * @description Kind of a decision.
         * @enum {string}
         */
        DecisionKind: "serve" | "wait" | "skip";
        /** @description The result of all checks. */
        Diagnosis: {
            /** @description One for each thing. Checks that need a thing that does not work are left out. */
            checks: components["schemas"]["Check"][];
        };
        /** @description Earnings, down to each settlement. Each total is the sum of rows, and each row names its transaction. */
        Earnings: {
            /** @description Payouts by UTC day and token, in the order of the days. */
            days: components["schemas"]["DayEarnings"][];
            /** @description Cost of gas. */
            gas: components["schemas"]["Gas"];
            /** @description Submissions, newest first. */
            items: components["schemas"]["SubmissionEarnings"][];
            /** @description Stakes of submissions, in wei. */
            stakes: components["schemas"]["StakeTotal"];
            /** @description Number of all submissions. */
            submissions: number;
            /** @description Sums by token. */
            totals: components["schemas"]["TokenTotal"][];
        };
        /**
         * @description Which pages a server shows.
         * @enum {string}
         */
        Face: "public" | "desk" | "mine" | "capsule";
        /** @description Cost of gas. */
        Gas: {
            /** @description Sums by UTC day, in the order of the days. */
            days: components["schemas"]["DayGas"][];
            /** @description Number of transactions whose receipts were not read yet. The sum is complete when this is 0. */
            missing: number;
            /** @description Number of transactions. */
            transactions: number;
            /** @description Sum in wei of the receipts that were read. */
            wei: string;
        };
        /** @description A step. */
        Job: {
            /**
             * Format: int32
             * @description Number of starts in a row, from 1.
             */
            attempt: number;
            /** @description The campaign. */
            campaign: string;
            /**
             * Format: int64
             * @description Unix time of its end; `null` while it runs.
             */
            ended: number | null;
            /** @description Why it failed. */
            error: string | null;
            /** @description Name of the campaign; `null` until its manifest is fetched. */
            name: string | null;
            /**
             * Format: int64
             * @description Unix time of its start.
             */
            started: number;
            /** @description State. */
            state: components["schemas"]["StepState"];
            /** @description The step: `fetch_manifest`, `fetch_material`, `train` or `send`. */
            step: string;
            /**
             * Format: int32
             * @description Version of the model at its start.
             */
            version: number;
        };
        /** @description The last 200 steps, newest first. */
        JobList: {
            /** @description The steps. */
            items: components["schemas"]["Job"][];
        };
        /** @description What the Mine is doing. */
        MineState: {
            /** @description The Mine's account. */
            address: string;
            /** @description Balance in wei; `null` while it is unknown. */
            balance: string | null;
            /** @description The connection to the chain. */
            chain: components["schemas"]["ChainStatus"];
            /** @description What the owner should do. */
            needs: components["schemas"]["Need"][];
            /** @description The steps that are running. */
            now: components["schemas"]["Work"][];
            paused: components["schemas"]["PauseState"] | null;
            /** @description Whether it is connected to chain and IPFS, and serves campaigns. */
            running: boolean;
            /** @description Version of the program. */
            version: string;
        };
        /** @description Something that the owner should do. */
        Need: {
            /** @description The command that helps; `null` if none does. */
            command: string | null;
            /** @description Kind. */
            kind: components["schemas"]["NeedKind"];
            /** @description What is wrong or missing. */
            text: string;
        };
        /**
         * @description Kind of a need.
         * @enum {string}
         */
        NeedKind: "data" | "funds" | "file" | "privacy" | "trouble";
        /** @description The passphrase. */
        PassphraseBody: {
            passphrase: string;
        };
        /** @description How to pause. */
        PauseBody: {
            /** @description Finish the steps that are running first. */
            after_job?: boolean;
            /**
             * Format: int32
             * @description Length of the pause in minutes, at least 1; `null`: until it is ended.
             */
            minutes?: number | null;
        };
        /** @description A pause. */
        PauseState: {
            /** @description Whether steps that were running are still being finished. */
            finishing: boolean;
            /** @description The reason, and what ends it. */
            reason: string;
            /**
             * Format: int64
             * @description Unix time at which it was asked for.
             */
            since: number;
            /**
             * Format: int64
             * @description Unix time at which it ends; `null` until it is ended.
             */
            until: number | null;
        };
        /** @description `amount = floor(bounty × delta_ppm / range_ppm)`. */
        PayoutInputs: {
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /**
             * Format: int32
             * @description Improvement in parts per million.
             */
            delta_ppm: number;
            /**
             * Format: int32
             * @description Target in parts per million, which pays the full bounty.
             */
            range_ppm: number;
        };
        /** @description A possible withdrawal. */
        PossibleWithdrawal: {
            /** @description Amount in the token's smallest unit. */
            amount: string;
            /** @description The campaign; `null` for shares of the stakes of Capsules that missed a deadline. */
            campaign: string | null;
            /** @description At most this much gas, in wei. */
            gas: string;
            /** @description Where the money is, as text. */
            source: string;
            /** @description Its token. */
            token: components["schemas"]["Token"];
            /** @description Whether it brings more than it costs; others are left out. */
            worth_it: boolean;
        };
        /** @description Privacy account of a data set. */
        PrivacyAccount: {
            /** @description The data set. Its account is kept after it is removed. */
            data: string;
            /**
             * Format: double
             * @description Total ε of the private updates; `null` without a budget, which has the δ.
             */
            epsilon: number | null;
            /**
             * Format: int32
             * @description Number of exact updates, which no ε covers.
             */
            exact: number;
            /**
             * Format: int32
             * @description Number of updates that the budget still allows; `null` without a budget.
             */
            left: number | null;
            /**
             * Format: int32
             * @description Number of private updates.
             */
            private: number;
        };
        /** @description A privacy budget: (ε, δ)-differential privacy for replacing one row of a data set by any other, over its whole life. */
        PrivacyBudget: {
            /**
             * Format: double
             * @description The δ: probability that the guarantee fails.
             */
            delta: number;
            /**
             * Format: double
             * @description The ε.
             */
            epsilon: number;
            /**
             * Format: int32
             * @description Number of uploads into which it is divided.
             */
            uploads: number;
        };
        /** @description What was disclosed about each data set, and what is left of its budget. */
        PrivacyReport: {
            budget: components["schemas"]["PrivacyBudget"] | null;
            /** @description By name. */
            data: components["schemas"]["PrivacyAccount"][];
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
        /** @description A session. */
        SessionInfo: {
            /** @description Which pages this server shows. */
            face: components["schemas"]["Face"];
            /**
             * Format: int64
             * @description Unix time until which actions that spend need no passphrase; `null` if they need it now.
             */
            unlocked_until: number | null;
        };
        /** @description Stakes of submissions in wei, over all campaigns. */
        StakeTotal: {
            /** @description Paid by submissions that were not accepted. */
            charged: string;
            /** @description Shares of the stakes of Capsules that missed a deadline. */
            claimable: string;
            /** @description Returned: can be withdrawn, or backs the next submission. */
            free: string;
            /** @description Held for unsettled submissions. */
            held: string;
        };
        /**
         * @description State of a step.
         * @enum {string}
         */
        StepState: "running" | "done" | "failed" | "stopped";
        /** @description A submission of this Mine. */
        SubmissionEarnings: {
            /** @description Payout in the token's smallest unit; `null` unless it was accepted. */
            amount: string | null;
            /** @description The campaign. */
            campaign: string;
            /** @description The part of the stake that it paid, in wei. */
            charged: string;
            /**
             * Format: int32
             * @description Improvement in parts per million; `null` unless it was accepted.
             */
            delta_ppm: number | null;
            inputs: components["schemas"]["PayoutInputs"] | null;
            /** @description Name of the campaign; `null` until its manifest is fetched. */
            name: string | null;
            /**
             * Format: int32
             * @description Place in the window, from 1.
             */
            number: number;
            /** @description Stake behind it in wei. */
            stake: string;
            /** @description The transaction of the submission. */
            submission_transaction: string;
            /**
             * Format: int64
             * @description Unix time of the submission's block.
             */
            submitted: number;
            /**
             * Format: int64
             * @description Unix time of that transaction's block.
             */
            time: number;
            /** @description Token of the bounty. */
            token: components["schemas"]["Token"];
            /** @description The transaction of the settlement; of the submission while it is pending. */
            transaction: string;
            /** @description Outcome. */
            verdict: components["schemas"]["Verdict"];
            /**
             * Format: int32
             * @description The version of the model that it is for.
             */
            version: number;
            /**
             * Format: int32
             * @description Index of the window.
             */
            window: number;
        };
        /** @description A token. Symbol and decimals are `null` if the contract did not return them. */
        Token: {
            /** @description The ERC-20 contract; the zero address stands for ETH. */
            address: string;
            /**
             * Format: int32
             * @description Decimals: one token is 10^decimals of the smallest unit.
             */
            decimals: number | null;
            /** @description Symbol. */
            symbol: string | null;
        };
        /** @description The launch token, from the fragment of the link. */
        TokenBody: {
            token: string;
        };
        /** @description Earnings in one token. */
        TokenTotal: {
            /** @description Amount that can be withdrawn now. */
            claimable: string;
            /** @description Sum of all payouts. */
            earned: string;
            /** @description Claimable plus withdrawn, less gas and charged stakes (both in ETH only). Can be negative. */
            net: string;
            /** @description Maximum that they can earn together. */
            pending_at_most: string;
            /** @description Number of submissions that wait for settlement. */
            pending_count: number;
            /** @description The token. */
            token: components["schemas"]["Token"];
            /** @description Sum of the withdrawals. */
            withdrawn: string;
        };
        /**
         * @description Outcome of a submission.
         * @enum {string}
         */
        Verdict: "pending" | "not_improved" | "accepted" | "rejected" | "expired";
        /** @description From where to withdraw. */
        WithdrawBody: {
            /** @description Only from this campaign, and its returned stakes even while it is open; `null`: everything. */
            campaign?: string | null;
        };
        /** @description A withdrawal that was made, to the Mine's own account. */
        Withdrawal: {
            /** @description Amount in the token's smallest unit. */
            amount: string;
            /** @description The campaign; `null` for shares of the stakes of Capsules that missed a deadline. */
            campaign: string | null;
            /**
             * Format: int64
             * @description Gas used.
             */
            gas_used: number;
            /** @description Whether it is a returned stake. */
            stake: boolean;
            /** @description The token. */
            token: components["schemas"]["Token"];
            /** @description The transaction. */
            transaction: string;
        };
        /** @description What can be withdrawn to the Mine's own account, and what that costs. */
        WithdrawalPreview: {
            /** @description The possible withdrawals. */
            items: components["schemas"]["PossibleWithdrawal"][];
        };
        /** @description The withdrawals that were made. */
        Withdrawals: {
            /** @description What was left out, because it would have cost more gas than it brings. */
            left_out: string[];
            /** @description One transaction each. */
            transactions: components["schemas"]["Withdrawal"][];
        };
        /** @description A step that is running. */
        Work: {
            /** @description The campaign. */
            campaign: string;
            /** @description Name of the campaign; `null` until its manifest is fetched. */
            name: string | null;
            /**
             * Format: int32
             * @description Progress of a training as of its last checkpoint, in parts per million; `null` if it is unknown.
             */
            progress_ppm: number | null;
            /**
             * Format: int64
             * @description Unix time of its start.
             */
            started: number;
            /** @description The step: `fetch_manifest`, `fetch_material`, `train` or `send`. */
            step: string;
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
    mine_campaigns: {
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
                    "application/json": components["schemas"]["CampaignList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_data: {
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
                    "application/json": components["schemas"]["DataSetList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_doctor: {
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
                    "application/json": components["schemas"]["Diagnosis"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_earnings: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Number of submissions to skip, counted from the newest (default 0). */
                offset: number | null;
                /** @description Maximum number of submissions (default 1000, at most 10000). */
                limit: number | null;
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
                    "application/json": components["schemas"]["Earnings"];
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
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_events: {
        parameters: {
            query?: never;
            header?: {
                /** @description Resume after this event */
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
            401: {
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
    mine_jobs: {
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
                    "application/json": components["schemas"]["JobList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_pause: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PauseBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MineState"];
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
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_privacy: {
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
                    "application/json": components["schemas"]["PrivacyReport"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_resume: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
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
                    "application/json": components["schemas"]["MineState"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_status: {
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
                    "application/json": components["schemas"]["MineState"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mine_withdraw_preview: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Only from this campaign, and its returned stakes even while it is open (default: everything). */
                campaign: string | null;
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
                    "application/json": components["schemas"]["WithdrawalPreview"];
                };
            };
            401: {
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
    mine_withdraw: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WithdrawBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Withdrawals"];
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
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The passphrase is needed */
            403: {
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
    session: {
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
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    open_session: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description With the cookie */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reauthenticate: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PassphraseBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The passphrase is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description No action of this server needs it */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Too soon after a wrong one */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
