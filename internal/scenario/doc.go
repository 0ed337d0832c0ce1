// Package scenario plays stories: a document, then what happens, then questions with the answers that must come. The
// stories are text files in testdata, one for each row of the contract in docs/decision.md. There is nothing here but
// tests.
//
// A story is a txtar archive. Its comment begins with the row that it shows. "document.yaml" is the document; other files
// ending in .yaml can replace it. "story" has one step a line; # starts a comment:
//
//	here SITE                     whose node decides (default: the document's first site)
//	wait 5s                       time passes; belief is weighed once a second
//	document FILE                 a reload
//	session SITE up|down|leaving
//	report SITE [SERVICE STATE [key=value]...][; SERVICE ...]   over MEP, a full set
//	views SITE [SERVICE STATE][; SERVICE ...]                   another site's own verdicts
//	monitor SERVICE MONITOR [ADDRESS] up|down|draining [failures=N|successes=N]
//	load SERVICE key=value...     what its load source reads
//	believe SERVICE STATE [key=value]...   belief set by hand, in place of the evidence's
//	hold VIRTUAL-SERVER on|off    backup_hold, set by hand
//	override disable|enable|drain|clear SERVICE|SITE|KIND/NAME [DURATION]
//	release VIRTUAL-SERVER
//	rtt LDNS SITE DURATION        a resolver's measurement
//	push PREFIX SERVICE VALUE [DURATION]   a measurement for method api
//	state SERVICE STATE [by=SOURCE] [doubt=WORD] [share=FROM..TO]
//	alarm on|off
//	ask NAME TYPE from ADDRESS [subnet PREFIX] [to LISTENER] [xN] -> WANT...
//
// Keys of loads: active, expected, per_answer, age, response_time, bandwidth, packets, custom, requests, members,
// member_weight, capacity; of believe, too: share, doubt, without4, without6.
//
// What an ask may want: services by name (or records by their data) in the answer's order; with xN, SERVICE:COUNT or
// SERVICE:FROM..TO for how many answers began with it; empty; rcode=NAME; ttl=N; scope=N; because=REASON, of any step of
// the explanation of the last answer; SERVICE=REASON, what some step said of a candidate.
package scenario
