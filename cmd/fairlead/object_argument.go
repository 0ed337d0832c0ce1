package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fairlead/config"
)

// parseObjectArgument reads an object that is named on the command line: KIND/NAME, or the kind alone where there is only one.
func parseObjectArgument(text string) (config.ObjectKey, error) {
	if kind, ok := config.ParseObjectKind(text); ok && single(kind) {
		return config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, "")}, nil
	}
	key, ok := config.ParseObjectKey(text)
	if !ok {
		return key, usagef("%q is not an object: write it as KIND/NAME, for example service/web-ams; kinds are %s", text, strings.Join(kindNames(), ", "))
	}
	key.Name = config.CanonicalObjectName(key.Kind, key.Name)
	return key, nil
}

// single reports whether there is one object of a kind.
func single(kind config.ObjectKind) bool {
	return kind == config.ObjectSettings || kind == config.ObjectViewOrder
}

func kindNames() []string {
	var out []string
	for _, k := range config.ObjectKinds {
		out = append(out, k.String())
	}
	return out
}

// outputs replaces what --output can be.
func (f *apiFlags) outputs(cmd *cobra.Command, usage string, allowed ...string) {
	cmd.Flags().Lookup("output").Usage = usage
	cmd.PreRunE = func(*cobra.Command, []string) error {
		for _, a := range allowed {
			if f.output == a {
				return nil
			}
		}
		return usagef("--output %q is not one of %s", f.output, strings.Join(allowed, ", "))
	}
}
