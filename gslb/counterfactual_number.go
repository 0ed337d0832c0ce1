package gslb

import (
	"fmt"
	"math"
	"slices"
)

// enough is up to which number a service is answered.
type enough struct {
	least float64 // the one that is told: it is enough, and the next one of its digits is not
	any   bool    // so is every other: what was missing is that one is known
}

const (
	// moreThanAny is how many times what others have a number is that stands for all.
	moreThanAny = 1 << 20
	// threeDigits is the least number with as many.
	threeDigits = 100
	// What numbers are told to, as powers of ten.
	wholeNumbers, microseconds, anyDigit = 0, -3, -30
)

// greatest finds the greatest number up to which the service is answered, to three digits. is is what it has now, or for one that is not known where
// the search begins; finest is the last digit that counts. ok is false when even 0 is too much, and when what it has now is enough: it is not the
// number then.
func (k *seeker) greatest(is float64, known bool, finest int, at func(float64) edit) (out enough, ok bool) {
	if math.IsInf(is, 0) || !(is > 0) && known {
		return out, false
	}
	tried := func(x float64) bool { return k.wins(k.target, append(slices.Clone(k.pre), at(x))...) }
	if !tried(0) {
		return out, false
	}
	if !known {
		is = max(is, 1)
		if tried(is * moreThanAny) {
			return enough{least: is, any: true}, tried(is)
		}
		for is < moreThanAny*moreThanAny && tried(is) {
			is *= 2
		}
	}
	digits := max(int(math.Floor(math.Log10(is)))-2, finest)
	low, high := 0, int(math.Ceil(is/math.Pow10(digits)))
	if known && tried(atDigit(high, digits)) {
		return out, false
	}
	for least := digits - 3; ; digits-- { // of a number that is much less, its own three digits
		for low+1 < high {
			if middle := (low + high) / 2; tried(atDigit(middle, digits)) {
				low = middle
			} else {
				high = middle
			}
		}
		if low >= threeDigits || digits == least || digits == finest || k.left <= 0 {
			return enough{least: atDigit(low, digits)}, true
		}
		low, high = low*10, high*10
	}
}

// finest is the last digit of a load that counts.
func finest(unit string) int {
	if unit == "connections" {
		return wholeNumbers
	}
	return anyDigit
}

// atDigit is n at a decimal digit, so that writing it gives that digit.
func atDigit(n, digit int) float64 {
	if digit < 0 {
		return float64(n) / math.Pow10(-digit)
	}
	return float64(n) * math.Pow10(digit)
}

// into completes a change by the number that is needed. now says what it is.
func (e enough) into(c *Change, what, now string, at func(float64) edit) *Change {
	c.edits = []edit{at(e.least)}
	if e.any {
		c.Text = fmt.Sprintf("if %s were known, %s or any other (%s)", what, number(e.least, c.Unit), now)
		return c
	}
	c.Needed, c.Text = &e.least, fmt.Sprintf("if %s were at most %s (%s)", what, number(e.least, c.Unit), now)
	return c
}

// number writes a number so that reading it gives the same one.
func number(x float64, unit string) string {
	text := fmt.Sprintf("%.6g", x)
	if math.Abs(x) >= 1e6 && math.Abs(x) < 1e15 {
		text = fmt.Sprintf("%.0f", x)
	}
	if unit == "" || unit == "connections" {
		return text
	}
	return text + " " + unit
}
