package demo

import (
	"fmt"
	"io"
)

// checklist prints one line for each check and counts them. It belongs to one goroutine. A line that cannot be printed is
// counted all the same: the numbers are what a program reads.
type checklist struct {
	out            io.Writer
	passed, failed int
}

// equal checks that got is what is wanted.
func (c *checklist) equal(name, got, want string) bool {
	if got != want {
		c.failed++
		fmt.Fprintf(c.out, "FAIL %s: got %s, want %s\n", name, got, want)
		return false
	}
	c.passed++
	fmt.Fprintf(c.out, "ok   %s: %s\n", name, got)
	return true
}

// holds checks a condition. got and want say what it is about; got is only printed when the condition fails.
func (c *checklist) holds(name string, ok bool, got, want string) bool {
	if ok {
		got = want
	}
	return c.equal(name, got, want)
}

// note prints a line that explains the one before it.
func (c *checklist) note(text string) { fmt.Fprintf(c.out, "     %s\n", text) }

// summary prints the last line.
func (c *checklist) summary() { fmt.Fprintf(c.out, "%d passed, %d failed\n", c.passed, c.failed) }
