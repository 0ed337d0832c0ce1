package house

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	inlineLink    = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	referenceLink = regexp.MustCompile(`^\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)`)
	codeSpan      = regexp.MustCompile("`[^`]*`")
	scheme        = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	heading       = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
	linkText      = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	notInAnchors  = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// prose calls visit with each line of a Markdown file that is not inside a fenced block.
func prose(text []byte, visit func(number int, line string)) {
	fence := ""
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
		default:
			visit(i+1, line)
		}
	}
}

// anchors returns the anchors that forges give a Markdown file's headings.
func anchors(text []byte) map[string]bool {
	found := map[string]bool{}
	prose(text, func(_ int, line string) {
		match := heading.FindStringSubmatch(line)
		if match == nil {
			return
		}
		title := linkText.ReplaceAllString(match[1], "$1")
		title = notInAnchors.ReplaceAllString(strings.ToLower(title), "")
		anchor := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' {
				return '-'
			}
			return r
		}, title)
		for n := 0; ; n++ {
			unique := anchor
			if n > 0 {
				unique = fmt.Sprintf("%s-%d", anchor, n)
			}
			if !found[unique] {
				found[unique] = true
				return
			}
		}
	})
	return found
}

// checkLinks follows the links between the files of the repository.
func checkLinks(t *tree) []finding {
	var found []finding
	directories := map[string]bool{".": true}
	for p := range t.text {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			directories[dir] = true
		}
	}
	for _, file := range t.paths(".md") {
		prose(t.text[file], func(number int, line string) {
			line = codeSpan.ReplaceAllString(line, "")
			for _, match := range append(inlineLink.FindAllStringSubmatch(line, -1), referenceLink.FindAllStringSubmatch(line, -1)...) {
				if scheme.MatchString(match[1]) {
					continue
				}
				if problem := t.followLink(file, match[1], directories); problem != "" {
					found = append(found, finding{file, number, problem})
				}
			}
		})
	}
	return found
}

// followLink says what is wrong with a link from file; "" when it arrives.
func (t *tree) followLink(file, link string, directories map[string]bool) string {
	target, anchor, _ := strings.Cut(link, "#")
	to := file
	if target != "" {
		if path.IsAbs(target) {
			return fmt.Sprintf("link %q starts with /: links are relative to the file that they are in", link)
		}
		to = path.Join(path.Dir(file), target)
	}
	text, ok := t.text[to]
	if !ok && !directories[to] {
		return fmt.Sprintf("link %q leads to %s, which does not exist", link, to)
	}
	if anchor != "" && strings.HasSuffix(to, ".md") && !anchors(text)[anchor] {
		return fmt.Sprintf("link %q: %s has no heading #%s", link, to, anchor)
	}
	return ""
}

func TestLinks(t *testing.T) { hold(t, checkLinks) }

func TestLinksCatches(t *testing.T) {
	const target = "-- docs/b.md --\n# What `serve` does, and why\n## Twice\n## Twice\n```\n# not a heading\n```\n"
	catches(t, checkLinks, []example{
		{"good", target + "-- a.md --\n[b](docs/b.md) [c](docs/b.md#what-serve-does-and-why \"title\") [d](docs/) [e](https://example.com/x)\n" +
			"[f](docs/b.md#twice-1) `[not](a-link)` [g](#here)\n# Here\n```\n[nor](this)\n```\n", nil},
		{"upwards", "-- docs/a.md --\n[r](../README.md)\n-- README.md --\nhello\n", nil},
		{"missing file", "-- a.md --\n\nsee [b](docs/c.md)\n", []string{`a.md:2: link "docs/c.md" leads to docs/c.md, which does not exist`}},
		{"missing anchor", target + "-- a.md --\n[b](docs/b.md#thrice)\n", []string{`a.md:1: link "docs/b.md#thrice": docs/b.md has no heading`}},
		{"heading in a block", target + "-- a.md --\n[b](docs/b.md#not-a-heading)\n", []string{`a.md:1: link "docs/b.md#not-a-heading"`}},
		{"reference", "-- a.md --\n[b]: docs/c.md\n", []string{`a.md:1: link "docs/c.md"`}},
		{"absolute", "-- a.md --\n[b](/a.md)\n", []string{`a.md:1: link "/a.md" starts with /`}},
	})
}
