package ecommpay

import (
	"regexp"
	"strings"

	"payonce/pkg/connectors"
)

// meaning is what a code in an error answer to a create request means for the money, and who says so.
type meaning struct {
	means    connectors.Meaning
	evidence string
	// exists says that the code reports a payment or an operation that is there already, so that an answer
	// with it is no refusal.
	exists bool
	// open says that the code does not report an end, also when a status does.
	open bool
}

// notCreated is the promise behind every refusal: with an error answer the operation is not created
// (en_Gate__Unified_Codes), and the same payment id may be sent again (developers.rocketpay.kz
// en_gate_payout_statuses, status "error").
const notCreated = "en_Gate__Unified_Codes: an error answer means that no operation was created; "

var (
	refused = meaning{means: connectors.MeansRejected,
		evidence: notCreated + "this code asks to correct the request"}
	// A wrong key or a project that is not set up must not fail the customers' payments for good.
	ourAccount = meaning{means: connectors.MeansMisconfigured,
		evidence: notCreated + "this code speaks of our key or project, not of the payment"}
	notListed = meaning{means: connectors.MeansMisconfigured,
		evidence: notCreated + "HTTP 403 is for an IP address that is not on the white list (en_gate_interaction_organisation)"}
	lowBalance = meaning{means: connectors.MeansLowBalance,
		evidence: notCreated + "this code says that the merchant's balance is too low"}
	dailyLimit = meaning{means: connectors.MeansThrottled,
		evidence: notCreated + "this code asks to send the request again later"}
	duplicate = meaning{means: connectors.MeansDuplicate, exists: true,
		evidence: "en_Gate__Unified_Codes 3041: the payment id exists already, so look it up and adopt it"}
	existing = meaning{means: connectors.MeansInDoubt, exists: true,
		evidence: "en_Gate__Unified_Codes: this code speaks of the state of a payment, or of an operation, that exists"}
	unsure = meaning{means: connectors.MeansInDoubt,
		evidence: "en_Gate__Unified_Codes: this code can speak of a payment that exists, or leaves it to the provider's support"}
	result = meaning{means: connectors.MeansInDoubt,
		evidence: "en_Gate__Unified_Codes: this code is the result of an operation, so there may be one"}
	waiting = meaning{means: connectors.MeansInDoubt, exists: true, open: true,
		evidence: "en_Gate__Unified_Codes: this code says that there is no end yet, or none that is sure"}
	undocumented = meaning{means: connectors.MeansInDoubt, evidence: "no page documents this code"}
)

// codes are all codes of en_Gate__Unified_Codes. What is missing here is undocumented.
var codes = byCode(map[*meaning]string{
	&refused: `309 319 702 2003 2004 2014 2061 2123 2124 2154 2261 2426 2467 2468 2541 2606 2609 2610 2611 2641 2642
		2801 2945 2949 3001 3002 3003 3004 3020 3021 3022 3024 3027 3101 3104 3105 3117 3118 3119 3120 3121 3125 3141
		3161 3162 3181 3182 3186 3190 3192 3194 3195 3221 3241 3242 3243 3244 3283 3284 3286 3287 3289 3301 3358 3360
		3400 3402 3403 3404 3406 3409 3410 3411 3412 3413 3414 3415 3416 3417 3418 3419 3431 3432 3433 3434 3435 3436
		3437 3438 3439 3480 3490 3491 3609 3612 3618 3619 3620 3621 3622 3623 3624 3625 3900 3901`,
	&ourAccount: `303 310 318 2442 3023 3123 3124 3261 3262 3291 3293 3299`,
	&lowBalance: `3028`,
	&dailyLimit: `3297 3298`,
	&duplicate:  `3041`,
	&existing:   `2147 3060 3081 3198 3230 3285 3288 3610 3611 3613`,
	&unsure: `2466 2701 3026 3029 3061 3062 3102 3103 3107 3183 3184 3193 3196 3197 3199 3201 3281 3292 3341 3356
		3363 3470 3471 3472 3617`,
	&result: `100 104 108 109 301 314 402 501 502 504 601 602 603 604 903 904 1401 1402 1403 1404 1405 1406 1407 1408
		1409 1410 1411 1412 1413 1414 1415 1421 1422 1431 1432 1433 1434 1435 1437 1441 1450 1451 1452 1453 1455 1456
		1457 1458 1459 1460 1461 1462 1463 1499 3106 3108 3109 3110 3111 3112 3305 3306 3307 3308 3309 3310 3311 3312
		3313 3314 3315 3316 3317 3318 3319 3320 3321 3322 3323 3324 3325 3326 3327 3328 3329 3330 3331 3332 3333 3334
		3335 3336 3337 3338 3339 3340 3355 3357 3362 3407 3408 3450 3451 3452 3606 3607 3626 3627 3628 3629 3630 3631
		3632 3633 3634 3635 10000 10100 10101 10102 10103 10104 10105 10106 10107 10108 10109 10110 10112 10113 10114
		10201 10202 10203 10204 10205 10206 10301 10401 10402 10403 10404 10405 10501 10502 10503 10504 10505 10601
		10602 10603 10701 10702 10703 10704 10705 10706 10707 10708 10709 10722 10805 10806 10807 10810 10811 10812
		20000 20100 20101 20102 20103 20104 20105 20106 20107 20109 20110 20111 20201 20202 20203 20204 20205 20206
		20301 20302 20303 20304 20401 20402 20450 20451 20501 20502 20503 20504 20601 20602 20603 20604 20701 20702
		20703 20705 20706 30000 30100 30301 30302 30303 30401`,
	&waiting: `0 3191 9999 10801 19999 20801 20802 20812 20899 29999`,
})

func byCode(lists map[*meaning]string) map[string]meaning {
	all := map[string]meaning{}
	for m, list := range lists {
		for _, code := range strings.Fields(list) {
			all[code] = *m
		}
	}
	return all
}

// codeDuplicate is the code of a payment id that exists already.
const codeDuplicate = "3041"

// codePattern is what the documented codes look like.
var codePattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})$`)

// validCode accepts what an account may give a meaning of its own: not "0", which is success.
func validCode(code string) bool { return code != "0" && codePattern.MatchString(code) }

// meaningOf returns the documented meaning of a code.
func meaningOf(code string) meaning {
	if m, ok := codes[code]; ok {
		return m
	}
	return undocumented
}

// meaningOf returns the meaning of a code for this account.
func (c *Connector) meaningOf(code string) meaning {
	m := meaningOf(code)
	if means, chosen := c.settings.Codes[code]; chosen {
		m.means, m.evidence = means, "the account's settings give this code its meaning"
	}
	return m
}

// caution ranks meanings: of several codes in one answer the most cautious one counts, so that a payment is
// failed only when all of them refuse it.
func (m meaning) caution() int {
	if m.means == connectors.MeansInDoubt && m.exists {
		return 5
	}
	return map[connectors.Meaning]int{
		connectors.MeansDuplicate: 6, connectors.MeansInDoubt: 4, connectors.MeansMisconfigured: 3,
		connectors.MeansThrottled: 2, connectors.MeansLowBalance: 1, connectors.MeansRejected: 0,
	}[m.means]
}
