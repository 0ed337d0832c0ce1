package probe

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fairlead/config"
)

// imap is a conversation in IMAP4rev1 (RFC 3501): each command has a tag, with which the last line of its answer begins.
type imap struct {
	*lines
	tag int
}

// askIMAP reads the greeting of a mailbox server, asks for its capabilities, and logs in when the monitor has a login.
func (x *exchange) askIMAP() error { return spoken(x.talkIMAP()) }

func (x *exchange) talkIMAP() error {
	if err := x.mayTell(); err != nil {
		return err
	}
	l, err := x.openLines(143, 993)
	if err != nil {
		return err
	}
	c := &imap{lines: l}
	if err := c.greeted(); err != nil {
		return err
	}
	if x.monitor.Security == config.SecuritySTARTTLS {
		if _, err := c.ask("STARTTLS", "STARTTLS"); err != nil {
			return err
		}
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	untagged, err := c.ask("CAPABILITY", "CAPABILITY")
	if err != nil {
		return err
	}
	capabilities := imapCapabilities(untagged)
	if !slices.Contains(capabilities, "IMAP4REV1") && !slices.Contains(capabilities, "IMAP4REV2") {
		return unlike("CAPABILITY lists no IMAP4rev1 and no IMAP4rev2")
	}
	x.passes("greeted")
	if x.monitor.Login != nil {
		if err := c.login(capabilities); err != nil {
			return err
		}
		x.passes("logged in")
	}
	c.quit(c.next() + " LOGOUT")
	return nil
}

// greeted reads the greeting. PREAUTH leaves no room for a login, nor for STARTTLS: someone in between could use it to keep the
// connection in clear.
func (c *imap) greeted() error {
	line, err := c.read()
	if err != nil {
		return err
	}
	c.x.step("greeting", line)
	m := c.x.monitor
	switch word := strings.ToUpper(secondWord(line)); {
	case !strings.HasPrefix(line, "* "):
	case word == "OK":
		return nil
	case word == "PREAUTH" && m.Security == config.SecuritySTARTTLS:
		return unlike("greeting %s, want OK: STARTTLS is not possible after it", c.quote(line))
	case word == "PREAUTH" && m.Login != nil:
		return unlike("greeting %s, want OK: somebody is logged in already", c.quote(line))
	case word == "PREAUTH":
		return nil
	case word == "BYE":
		return unlike("greeting %s, want OK", c.quote(line))
	}
	return fmt.Errorf("%s is no greeting of an IMAP server", c.quote(line))
}

func secondWord(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	word, _, _ := strings.Cut(rest, " ")
	return word
}

// next returns a new tag.
func (c *imap) next() string {
	c.tag++
	return "a" + strconv.Itoa(c.tag)
}

// ask sends a command and returns the untagged lines of its answer, which must be OK. word names it in reasons.
func (c *imap) ask(word, line string) ([]string, error) {
	tag := c.next()
	if err := c.command(word, tag+" "+line); err != nil {
		return nil, err
	}
	untagged, last, err := c.answer(tag, false)
	if err != nil {
		return nil, err
	}
	return untagged, c.completed(word, last)
}

func (c *imap) completed(word, line string) error {
	c.x.step(word, line)
	switch strings.ToUpper(secondWord(line)) {
	case "OK":
		return nil
	case "NO", "BAD", "BYE":
		return unlike("%s to %s, want OK", c.quote(line), word)
	}
	return fmt.Errorf("%s, %s, is neither OK nor NO nor BAD", c.quote(line), c.stage)
}

// answer reads up to the line with the tag, or to a BYE, or, where the command has a second part, to the invitation to send it.
func (c *imap) answer(tag string, invited bool) (untagged []string, last string, err error) {
	for range maxReplyLines {
		line, err := c.read()
		if err != nil {
			return nil, "", err
		}
		switch {
		case strings.HasPrefix(line, tag+" "), strings.HasPrefix(strings.ToUpper(line), "* BYE"), invited && strings.HasPrefix(line, "+"):
			return untagged, line, nil
		case !strings.HasPrefix(line, "*"):
			return nil, "", fmt.Errorf("%s, %s, is no answer of an IMAP server", c.quote(line), c.stage)
		}
		untagged = append(untagged, line)
	}
	return nil, "", fmt.Errorf("answer above %d lines %s", maxReplyLines, c.stage)
}

// login logs in with LOGIN; with AUTHENTICATE PLAIN (RFC 4616) where LOGIN is not offered, or cannot carry the characters.
func (c *imap) login(capabilities []string) error {
	user, password, err := c.x.login()
	if err != nil {
		return err
	}
	plain := slices.Contains(capabilities, "AUTH=PLAIN")
	quotable := printableASCII(user) && printableASCII(password)
	switch {
	case quotable && !slices.Contains(capabilities, "LOGINDISABLED"):
		c.x.hide(quotedIMAP(password)) // quoted, it may read otherwise
		_, err := c.ask("LOGIN", "LOGIN "+quotedIMAP(user)+" "+quotedIMAP(password))
		return err
	case !plain:
		return unlike("server offers no LOGIN and no AUTH=PLAIN for this login")
	}
	tag := c.next()
	if err := c.command("AUTHENTICATE", tag+" AUTHENTICATE PLAIN"); err != nil {
		return err
	}
	_, last, err := c.answer(tag, true)
	if err != nil {
		return err
	}
	if strings.HasPrefix(last, "+") {
		proof := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		c.x.hide(proof)
		if err := c.write(proof); err != nil {
			return err
		}
		if _, last, err = c.answer(tag, false); err != nil {
			return err
		}
	}
	return c.completed("AUTHENTICATE", last)
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func quotedIMAP(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// imapCapabilities are the words of the untagged answers to CAPABILITY, in upper case.
func imapCapabilities(untagged []string) []string {
	var words []string
	for _, line := range untagged {
		if fields := strings.Fields(strings.ToUpper(line)); len(fields) > 2 && fields[1] == "CAPABILITY" {
			words = append(words, fields[2:]...)
		}
	}
	return words
}
