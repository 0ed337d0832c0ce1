package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// maxLine is the longest line of a file of names or prefixes, in octets.
const maxLine = 4096

// PatternNames returns count names: pattern, a format with one verb for an integer, in front of zone. The numbers start
// at 0.
func PatternNames(pattern, zone string, count int) ([]string, error) {
	if count < 1 || count > MaxQueries {
		return nil, fmt.Errorf("%d names are not within 1 and %d", count, MaxQueries)
	}
	if one, two := fmt.Sprintf(pattern, 1), fmt.Sprintf(pattern, 2); strings.Contains(one, "%!") || one == two && count > 1 {
		return nil, fmt.Errorf("pattern %q is not a format with one verb for an integer, such as h%%06d", pattern)
	}
	zone = strings.Trim(zone, ".")
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf(pattern, i) + "." + zone + "."
	}
	return names, nil
}

// ReadNames reads one name a line. Empty lines and those that start with # or ; are left out, and so is what follows the
// first word, so that query files of other tools can be read.
func ReadNames(r io.Reader) ([]string, error) {
	var names []string
	err := eachLine(r, func(word string) error {
		if len(names) == MaxQueries {
			return fmt.Errorf("more than %d names", MaxQueries)
		}
		names = append(names, word)
		return nil
	})
	return names, err
}

// ReadPrefixes reads one prefix a line, as ReadNames does.
func ReadPrefixes(r io.Reader) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	err := eachLine(r, func(word string) error {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			return fmt.Errorf("%q is not a prefix such as 198.51.100.0/24", word)
		}
		if len(prefixes) == MaxQueries {
			return fmt.Errorf("more than %d prefixes", MaxQueries)
		}
		prefixes = append(prefixes, p.Masked())
		return nil
	})
	return prefixes, err
}

func eachLine(r io.Reader, visit func(word string) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	number := 0
	for scanner.Scan() {
		number++
		words := strings.Fields(scanner.Text())
		if len(words) == 0 || words[0][0] == '#' || words[0][0] == ';' {
			continue
		}
		if err := visit(words[0]); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}
