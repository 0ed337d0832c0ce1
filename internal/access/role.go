package access

import "fmt"

// Role is how much somebody may do. A greater role may all that a lesser one may.
type Role uint8

// Roles.
const (
	NoRole   Role = iota // nothing that asks for a role
	Viewer               // read, never secrets
	Operator             // and take services in and out, push loads, measure and test
	Admin                // and change the document, tokens and backups
)

var roleWords = [...]string{NoRole: "none", Viewer: "viewer", Operator: "operator", Admin: "admin"}

// String returns the role's word: none, viewer, operator or admin.
func (r Role) String() string {
	if int(r) < len(roleWords) {
		return roleWords[r]
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// ParseRole returns the role of a word: viewer, operator or admin.
func ParseRole(word string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if roleWords[r] == word {
			return r, nil
		}
	}
	return NoRole, fmt.Errorf("unknown role %q: viewer, operator and admin are known", clip(word))
}

// Action is what kind of thing somebody asks for. The zero Action is asked of nobody but an unlimited Admin.
type Action uint8

// Actions.
const (
	Administer Action = iota // tokens, audit log, rollback, backup, conflicts, settings and sites: never with a limit to labels
	Write                    // change objects of the document
	Operate                  // enable, disable, drain, release, push loads, measure, test monitors, ask other sites
	Read                     // see what there is
	Public                   // be told whether the node lives: nobody has to say who they are
)

var actionWords = [...]string{Administer: "administer", Write: "write", Operate: "operate", Read: "read", Public: "public"}

// String returns the action's word.
func (a Action) String() string {
	if int(a) < len(actionWords) {
		return actionWords[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Needs returns the least role that may do it.
func (a Action) Needs() Role {
	switch a {
	case Public:
		return NoRole
	case Read:
		return Viewer
	case Operate:
		return Operator
	}
	return Admin
}

// maxShown bounds what an error repeats of what was sent.
const maxShown = 64

func clip(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "…"
	}
	return s
}
