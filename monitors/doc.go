// Package monitors asks services two questions, over and over: are you up (probes), and how busy are you (load sources)?
//
// Scheduler runs probes and turns their results into verdicts: fall failures in a row make DOWN, rise successes in a row
// make UP. Loads runs load sources and hands on what they report. Both run on a schedule that they can share (package
// schedule): one timing wheel, a limit on how many run at once, runs spread over the interval and varied by jitter, so that
// neither a start, a pause nor a wave of time-outs makes a burst.
//
// The package says what was measured. What follows from it for a service is weighed in package sites.
package monitors
