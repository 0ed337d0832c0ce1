package config

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Layout of a rendered problem.
const (
	tabWidth     = 4   // a tab in a shown line becomes this many spaces
	maxShownLine = 110 // characters of a source line that are shown
	shownBefore  = 40  // of them before the marked place, when the line is clipped
)

// ANSI colours of rendered problems.
const (
	colorReset = "\x1b[0m"
	colorBold  = "\x1b[1m"
	colorError = "\x1b[1;31m"
	colorWarn  = "\x1b[1;33m"
	colorHint  = "\x1b[36m"
)

// Render writes every problem with its line of the file, without secrets that stand in it, and a mark under the place, then a summary
// line. It writes nothing for an empty report.
func (r *Report) Render(w io.Writer, color bool) error {
	if r.errors+r.warnings == 0 {
		return nil
	}
	paint := func(code, text string) string {
		if !color || text == "" {
			return text
		}
		return code + text + colorReset
	}
	var b strings.Builder
	lines := map[string][]string{}
	problems := r.Problems()
	for _, p := range problems {
		if _, done := lines[p.File]; !done {
			lines[p.File] = r.withoutHidden(splitLines(r.texts[p.File]))
		}
		renderProblem(&b, p, lines[p.File], paint)
	}
	if more := r.errors + r.warnings - len(problems); more > 0 {
		fmt.Fprintf(&b, "%s not shown\n", plural(more, "further problem"))
	}
	b.WriteString(r.Summary())
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary is the counts in words: "2 errors, 1 warning".
func (r *Report) Summary() string {
	switch {
	case r.errors == 0 && r.warnings == 0:
		return "no problems"
	case r.warnings == 0:
		return plural(r.errors, "error")
	case r.errors == 0:
		return plural(r.warnings, "warning")
	}
	return plural(r.errors, "error") + ", " + plural(r.warnings, "warning")
}

func renderProblem(b *strings.Builder, p Problem, lines []string, paint func(code, text string) string) {
	severity := colorError
	if p.Severity == SeverityWarning {
		severity = colorWarn
	}
	where := printable(p.File)
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", where, p.Line, max(p.Column, 1))
	}
	fmt.Fprintf(b, "%s: %s: %s [%s]\n", paint(colorBold, where), paint(severity, string(p.Severity)), printable(p.Message), p.Code)
	hint := printable(p.Hint)
	if p.Line < 1 || p.Line > len(lines) || len(lines[p.Line-1]) > maxMarkedLine {
		if hint != "" {
			fmt.Fprintf(b, "      | %s\n", paint(colorHint, hint))
		}
		return
	}
	text, start, width := excerpt(withoutSecrets(lines[p.Line-1]), p.Column, p.Width)
	fmt.Fprintf(b, "%5d | %s\n", p.Line, text)
	mark := paint(severity, strings.Repeat("^", width))
	if hint != "" {
		mark += " " + paint(colorHint, hint)
	}
	fmt.Fprintf(b, "      | %s%s\n", strings.Repeat(" ", start), mark)
}

// excerpt makes a source line fit to show: tabs expanded, control characters replaced, long lines clipped around the
// marked place. start is the mark's offset in text.
func excerpt(line string, column, width int) (text string, start, marked int) {
	var shown []rune
	end := -1
	position := 0
	for _, c := range line {
		position++
		if position == column {
			start = len(shown)
		}
		if position == column+max(width, 1) {
			end = len(shown)
		}
		if c == '\t' {
			shown = append(shown, []rune(strings.Repeat(" ", tabWidth))...)
		} else {
			shown = append(shown, printableRune(c))
		}
	}
	if column > position {
		start = len(shown)
	}
	if end < 0 {
		end = len(shown)
	}
	marked = max(1, end-start)
	if len(shown) <= maxShownLine {
		return strings.TrimRight(string(shown), " "), start, marked
	}
	from := max(0, start-shownBefore)
	to := min(len(shown), from+maxShownLine)
	text = string(shown[from:to])
	start -= from
	if to < len(shown) {
		text += "…"
	}
	if from > 0 {
		text = "…" + text
		start++
	}
	return text, start, max(1, min(marked, utf8.RuneCountInString(text)-start))
}

// printable replaces what could drive a terminal.
func printable(s string) string { return strings.Map(printableRune, s) }

func printableRune(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return '�'
}
