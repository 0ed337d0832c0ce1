package config

import "strings"

// Secret says where a password, community or token is found: it never stands in the document itself, which is shared, shown and
// kept. Its forms are "file:PATH", "env:NAME" and "credential:NAME" (systemd's LoadCredential). Each node reads its own, and
// only from where its node file allows (probes.secrets).
type Secret string

// SecretKind is where a secret is.
type SecretKind string

// Where secrets are.
const (
	SecretFile       SecretKind = "file"
	SecretEnv        SecretKind = "env"
	SecretCredential SecretKind = "credential"
)

// Source splits a secret into where it is and what it is called there; kind is empty when it has none of the forms.
func (s Secret) Source() (kind SecretKind, name string) {
	word, name, ok := strings.Cut(string(s), ":")
	switch kind := SecretKind(word); {
	case !ok || name == "":
	case kind == SecretFile, kind == SecretEnv, kind == SecretCredential:
		return kind, name
	}
	return "", ""
}
