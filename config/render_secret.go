package config

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// hiddenSecret stands for a value that is not shown, however long that is.
const hiddenSecret = "***"

var (
	// secretKey is a key whose value says where a secret is, as far as its value.
	secretKey = regexp.MustCompile(`(?:^[\s-]*|[{,]\s*)["']?(?:\w*passw(?:or)?d|passphrase|token|secret|community)["']?\s*:\s*`)
	// secretPlace is the beginning of a value that says so, or that there is none.
	secretPlace = regexp.MustCompile(`^(?:["']?(?:file|env|credential):|$|[#,}])`)
	// urlUser is a user, and a password, in a URL.
	urlUser = regexp.MustCompile(`://[^/?#@\s]+@`)
)

// withoutSecrets is a source line as it may be shown to who reads a log. A secret does not belong into a file, which is what the problem
// with such a line is: showing the line would spread it. It goes by the text, since the line may be none that could be decoded.
func withoutSecrets(line string) string {
	for _, at := range secretKey.FindAllStringIndex(line, -1) {
		if value := at[1]; !secretPlace.MatchString(line[value:]) {
			line = line[:value] + hiddenSecret // where the value ends depends on how it is written: nothing behind is shown
			break
		}
	}
	return urlUser.ReplaceAllStringFunc(line, func(user string) string {
		return "://" + strings.Repeat("*", utf8.RuneCountInString(user)-len("://@")) + "@" // as long: columns stay
	})
}

// hideUser has the user of an address, and the password behind it, not shown with any problem, however it is written, and returns the address without it.
// It goes to the last @, since passwords have such characters that end a user in a URL, and needs no scheme.
func (r *Report) hideUser(address string) string {
	end := strings.LastIndexByte(address, '@')
	if end < 0 {
		return address
	}
	begin := 0
	if at := strings.Index(address[:end], "://"); at >= 0 {
		begin = at + len("://")
	}
	if user := address[begin:end]; user != "" {
		r.hidden = append(r.hidden, user+"@")
	}
	return address[:begin] + hiddenSecret + address[end:]
}

// withoutHidden is lines without what hideUser has seen; columns stay.
func (r *Report) withoutHidden(lines []string) []string {
	for _, user := range r.hidden {
		stars := strings.Repeat("*", utf8.RuneCountInString(user)-len("@")) + "@"
		for n := range lines {
			lines[n] = strings.ReplaceAll(lines[n], user, stars)
		}
	}
	return lines
}
