package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDays bounds durations in days.
const maxDays = 36_500

// parseDays reads a duration that may also be in days.
func parseDays(text string) (time.Duration, error) {
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(digits)
		if err != nil || days < 1 || days > maxDays {
			return 0, fmt.Errorf("%q is not a number of days from 1 to %d", text, maxDays)
		}
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration such as 12h or 90d", text)
	}
	return d, nil
}

// daysValue is a flag that is a duration, which may be in days.
type daysValue time.Duration

func (d *daysValue) Set(text string) error {
	v, err := parseDays(text)
	*d = daysValue(v)
	return err
}

func (d *daysValue) Type() string { return "duration" }

// String is the duration in days where it is whole days, else as Go writes it.
func (d *daysValue) String() string {
	const day = daysValue(24 * time.Hour)
	if *d >= day && *d%day == 0 {
		return fmt.Sprintf("%dd", *d/day)
	}
	return time.Duration(*d).String()
}
