package gslb

import (
	"strings"

	"fairlead/config/geodata"
)

// word is a qualifier as a number. Places are compared by words: of all that location files know, only what the document
// names has a number of its own.
type word uint16

const (
	noWord    word = iota // nothing is known
	otherWord             // something that neither a site nor a policy names
	wildWord              // *
	firstWord
)

// placeWords numbers the qualifiers that the document names.
type placeWords struct {
	numbers map[string]word
	any     bool // * matches every qualifier; else only another *
}

// wordPlace is a place in words, its length, and where it is.
type wordPlace struct {
	words [geodata.MaxQualifiers]word
	n     int
}

// sitePlace is where a site is.
type sitePlace struct {
	wordPlace
	at     spot
	toward direction // as at
}

func newPlaceWords(sites []site, matchers []clientMatcher, anyQualifier bool) *placeWords {
	w := &placeWords{numbers: map[string]word{"": noWord, "*": wildWord}, any: anyQualifier}
	for i := range sites {
		w.name(sites[i].spot.qualifiers)
	}
	for i := range matchers {
		for _, p := range matchers[i].places {
			w.name(strings.Split(strings.ToLower(p), "."))
		}
	}
	return w
}

// name gives qualifiers numbers of their own. A document that named more than fit would share the last one.
func (w *placeWords) name(qualifiers []string) {
	for _, q := range qualifiers {
		if _, ok := w.numbers[q]; !ok && len(w.numbers)+int(firstWord) < 1<<16 {
			w.numbers[q] = firstWord + word(len(w.numbers))
		}
	}
}

// word returns the number of a qualifier in lower case.
func (w *placeWords) word(q string) word {
	if n, ok := w.numbers[q]; ok {
		return n
	}
	return otherWord
}

// place turns qualifiers in lower case into words.
func (w *placeWords) place(qualifiers []string) (p wordPlace) {
	for i, q := range qualifiers[:min(len(qualifiers), geodata.MaxQualifiers)] {
		p.words[i], p.n = w.word(q), i+1
	}
	return p
}

func (w *placeWords) site(s spot) sitePlace {
	return sitePlace{wordPlace: w.place(s.qualifiers), at: s, toward: directionOf(s)}
}

// texts numbers all texts of a table.
func (w *placeWords) texts(t *geodata.Table) []word {
	out := make([]word, t.Texts())
	for i := range out {
		out[i] = w.word(strings.ToLower(t.Text(uint32(i))))
	}
	return out
}

// wordsOf turns a spot of a table into words.
func wordsOf(s *geodata.Spot, texts []word) (p wordPlace) {
	for i, q := range s.Qualifiers {
		if q != 0 {
			p.words[i], p.n = texts[q], i+1
		}
	}
	return p
}

// depth counts the leading qualifiers that two places share.
func (w *placeWords) depth(client, site *wordPlace) int {
	n := 0
	for n < client.n && n < site.n {
		c, s := client.words[n], site.words[n]
		if (c != s || c <= otherWord) && !(w.any && (c == wildWord || s == wildWord)) {
			break
		}
		n++
	}
	return n
}

// matches reports whether a place begins with a pattern, of which a qualifier * matches every qualifier.
func (p *wordPlace) matches(pattern *wordPlace) bool {
	if p.n < pattern.n {
		return false
	}
	for i := range pattern.n {
		if c := pattern.words[i]; c != wildWord && (c != p.words[i] || c <= otherWord) {
			return false
		}
	}
	return true
}
