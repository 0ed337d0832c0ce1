package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/access"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens that the API asks for",
		Long: `Tokens say to the API of a node who asks, and what they may do: a viewer reads, an operator also takes services in and
out, an admin may everything. Without --tokens-file and --node the node at --api does it, for an admin.`,
		Args: cobra.NoArgs, RunE: showHelp,
	}
	cmd.AddCommand(newTokenCreate(), newTokenList(), newTokenRevoke())
	return cmd
}

// tokenFlags say where the tokens are.
type tokenFlags struct {
	apiFlags
	file string
	node string
}

func (f *tokenFlags) add(cmd *cobra.Command) {
	f.apiFlags.add(cmd)
	cmd.Flags().StringVar(&f.file, "tokens-file", "", "tokens file of a node on this machine, which need not run")
	cmd.Flags().StringVar(&f.node, "node", "", "node file that names the tokens file")
	cmd.MarkFlagsMutuallyExclusive("tokens-file", "node", "api")
}

// path returns the tokens file; empty: the node is asked.
func (f *tokenFlags) path(cmd *cobra.Command) (string, error) {
	if f.node == "" {
		return f.file, nil
	}
	c, report, err := config.LoadNode(f.node)
	if err != nil {
		return "", exit(exitUsage, err)
	}
	if c == nil {
		return "", exit(exitFailed, errors.Join(report.Render(cmd.ErrOrStderr(), colorful(cmd.ErrOrStderr())), report.Err()))
	}
	if c.API.TokensFile == "" {
		return "", exit(exitFailed, fmt.Errorf("read %q: it names no api.tokens_file", f.node))
	}
	return c.API.TokensFile, nil
}

func newTokenCreate() *cobra.Command {
	var f tokenFlags
	var name, role, expires string
	var labels []string
	cmd := &cobra.Command{
		Use:   "create --name NAME --role ROLE",
		Short: "Make a token and show it, this once",
		Example: `  fairlead token create --tokens-file /etc/fairlead/tokens.json --name admin --role admin
  fairlead token create --name ci --role operator --label team=web --expires 90d`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := tokenSpec(name, role, expires, labels)
			if err != nil {
				return err
			}
			path, err := f.path(cmd)
			if err != nil {
				return err
			}
			made, err := f.create(cmd.Context(), path, spec)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), made)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "token %s (%s), role %s; it is shown this once:\n", made.Name, made.ID, made.Role)
			_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	cmd.Flags().StringVar(&role, "role", "", "viewer, operator or admin")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "KEY=VALUE: it may change only objects that carry this label; several: all of them")
	cmd.Flags().StringVar(&expires, "expires", "", "how long it is good, as 12h or 90d (default: for ever)")
	for _, required := range []string{"name", "role"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is some lines above
		}
	}
	return cmd
}

func tokenSpec(name, role, expires string, labels []string) (*access.TokenSpec, error) {
	spec := &access.TokenSpec{Name: name}
	var err error
	if spec.Role, err = access.ParseRole(role); err != nil {
		return nil, usagef("--role: %w", err)
	}
	for _, l := range labels {
		key, value, ok := strings.Cut(l, "=")
		if _, twice := spec.Labels[key]; !ok || twice {
			return nil, usagef("--label %q is not KEY=VALUE, or its key stands twice", l)
		}
		if spec.Labels == nil {
			spec.Labels = map[string]string{}
		}
		spec.Labels[key] = value
	}
	now := time.Now()
	if expires != "" {
		lasts, err := parseDays(expires)
		if err != nil {
			return nil, usagef("--expires: %w", err)
		}
		spec.Expires = now.Add(lasts)
	}
	if err := spec.Check(now); err != nil {
		return nil, exit(exitUsage, err)
	}
	return spec, nil
}

func (f *tokenFlags) create(ctx context.Context, path string, spec *access.TokenSpec) (*resource.CreatedToken, error) {
	if path != "" {
		if u, err := user.Current(); err == nil {
			spec.CreatedBy = u.Username
		}
		secret, made, err := access.Create(path, *spec, time.Now())
		if err != nil {
			return nil, tokenError(err)
		}
		return &resource.CreatedToken{Token: shownToken(&made), Secret: secret}, nil
	}
	c, err := f.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	made, err := c.CreateToken(ctx, &resource.NewToken{Name: spec.Name, Role: spec.Role.String(), Labels: spec.Labels, Expires: spec.Expires.UTC()})
	return made, apiError(err)
}

func newTokenList() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List tokens, without the tokens themselves", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := f.list(cmd)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), list)
			}
			rows := [][]string{{"ID", "NAME", "ROLE", "LABELS", "CREATED", "BY", "EXPIRES", "LAST USED"}}
			for _, t := range list.Tokens {
				rows = append(rows, []string{t.ID, t.Name, t.Role, access.ShowLabels(t.Labels), day(t.Created), t.CreatedBy, day(t.Expires), day(t.LastUsed)})
			}
			return table(cmd.OutOrStdout(), "", rows...)
		},
	}
	f.add(cmd)
	return cmd
}

// day shows a time in a list, and - for none.
func day(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format("2006-01-02 15:04")
}

func (f *tokenFlags) list(cmd *cobra.Command) (*resource.TokenList, error) {
	path, err := f.path(cmd)
	if err != nil {
		return nil, err
	}
	if path == "" {
		c, err := f.client()
		if err != nil {
			return nil, err
		}
		defer c.Close()
		list, err := c.Tokens(cmd.Context())
		return list, apiError(err)
	}
	tokens, err := access.List(path)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	out := &resource.TokenList{Tokens: make([]resource.Token, len(tokens))}
	for i := range tokens {
		out.Tokens[i] = shownToken(&tokens[i])
	}
	return out, nil
}

func shownToken(t *access.Token) resource.Token {
	return resource.Token{ID: t.ID, Name: t.Name, Role: t.Role, Labels: t.Labels, Created: t.Created, CreatedBy: t.CreatedBy, Expires: t.Expires}
}

func newTokenRevoke() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use: "revoke ID|NAME", Short: "Revoke a token", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := f.path(cmd)
			if err != nil {
				return err
			}
			gone, err := f.revoke(cmd.Context(), path, args[0])
			if err != nil {
				return err
			}
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), gone)
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "token %s (%s) is revoked\n", gone.Name, gone.ID)
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func (f *tokenFlags) revoke(ctx context.Context, path, idOrName string) (*resource.Token, error) {
	if path != "" {
		gone, err := access.Revoke(path, idOrName)
		if err != nil {
			return nil, tokenError(err)
		}
		shown := shownToken(&gone)
		return &shown, nil
	}
	c, err := f.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	gone, err := c.RevokeToken(ctx, idOrName)
	return gone, apiError(err)
}

// tokenError gives an error of a tokens file its exit code.
func tokenError(err error) error {
	switch {
	case errors.Is(err, access.ErrNoSuchToken):
		return exit(exitNotFound, err)
	case errors.Is(err, access.ErrNameTaken):
		return exit(exitConflict, err)
	}
	return exit(exitFailed, err)
}
