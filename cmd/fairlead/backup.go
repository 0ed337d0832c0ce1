package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/config"
	"fairlead/internal/backup"
)

// maxPassphraseFile is how large a file with a passphrase can be.
const maxPassphraseFile = 4096

// backupFlags are the flags of fairlead backup.
type backupFlags struct {
	api                                   apiFlags
	output, node, dataDir, passphraseFile string
	secrets                               bool
}

func newBackup() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use: "backup [--node FILE | --data-dir DIR] [-o FILE]", Short: "Put everything that a node knows into one file", Args: cobra.NoArgs,
		Long: `Backup writes the document with its history, overrides, what was learned, sessions, tokens (their hashes), the audit log and the node
file into one file. Keys and secrets are in it only with --with-secrets, and then it is encrypted with a passphrase.

Without --node and --data-dir the node that runs is asked; with them, a stopped node's files are read.`,
		Example: "  fairlead backup -o ams.backup\n  fairlead backup --node /etc/fairlead/node.yaml -o ams.backup",
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "file to write; it must not exist (default: standard output)")
	cmd.Flags().StringVar(&f.node, "node", "", "node file of a node that is stopped")
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "data directory of a node that is stopped, where there is no node file")
	cmd.Flags().BoolVar(&f.secrets, "with-secrets", false, "the keys and secrets that the node file names, too; needs --passphrase-file, and --node where the node is stopped")
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", "file whose first line the backup is encrypted with")
	f.api.reach(cmd)
	cmd.MarkFlagsMutuallyExclusive("node", "data-dir", "api")
	return cmd
}

func (f *backupFlags) run(cmd *cobra.Command) error {
	o := backup.OfflineOptions{DataDir: f.dataDir, NodeFile: f.node, Release: version(), Secrets: f.secrets, Now: time.Now()}
	if f.secrets && (f.passphraseFile == "" || f.dataDir != "") {
		return usagef("--with-secrets needs --passphrase-file, and a node that runs or --node, which name them")
	}
	var err error
	if o.Passphrase, err = readPassphrase(f.passphraseFile); err != nil {
		return err
	}
	if f.node == "" && f.dataDir == "" {
		if !f.secrets && f.passphraseFile != "" {
			return usagef("a node that runs puts secrets into each backup that is encrypted: say so with --with-secrets")
		}
		return f.write(cmd, func(w io.Writer) error { return f.ask(cmd, w, o.Passphrase) })
	}
	if f.node != "" {
		node, report, err := config.LoadNode(f.node)
		if err != nil {
			return exit(exitUsage, err)
		}
		if err := report.Err(); err != nil {
			return exit(exitFailed, err)
		}
		o.Node, o.DataDir = node, node.DataDir
	}
	return f.write(cmd, func(w io.Writer) error { return backup.Offline(w, o) })
}

// ask gets the backup of a node that runs.
func (f *backupFlags) ask(cmd *cobra.Command, w io.Writer, passphrase string) error {
	c, err := f.api.client()
	if err != nil {
		return err
	}
	defer c.Close()
	body, err := c.API().ReadBackup(cmd.Context(), client.ReadBackupParams{FairleadPassphrase: passphrase})
	if err != nil {
		return apiError(err)
	}
	_, err = io.Copy(w, body)
	return errors.Join(err, body.Close())
}

// write writes to the file that is wanted, or to standard output.
func (f *backupFlags) write(cmd *cobra.Command, make func(io.Writer) error) error {
	if f.output != "" {
		return f.toFile(make)
	}
	if isTerminal(cmd.OutOrStdout()) {
		return usagef("a backup is no text: name a file with --output")
	}
	return backupError(make(cmd.OutOrStdout()))
}

// toFile writes a new file, which is there only when all of it is.
func (f *backupFlags) toFile(write func(io.Writer) error) error {
	file, err := os.OpenFile(f.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return exit(exitUsage, err)
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		err = errors.Join(err, os.Remove(f.output))
	}
	return backupError(err)
}

func backupError(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return exit(exitFailed, err)
}

// readPassphrase returns the first line of a file; "" without a file.
func readPassphrase(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", exit(exitUsage, err)
	}
	b, err := io.ReadAll(io.LimitReader(file, maxPassphraseFile))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", exit(exitUsage, err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", usagef("the first line of %s is empty: it is the passphrase", path)
	}
	return string(line), nil
}

// printManifest says what a backup is of.
func printManifest(w io.Writer, m *backup.Manifest) {
	var octets int64
	for _, e := range m.Parts {
		octets += e.Size
	}
	fmt.Fprintf(w, "backup of %s, made %s by %s\nrevision %.12s, %d files, %d octets\n", printable(cmp.Or(m.Site, "a site")), m.Created.Format(time.RFC3339),
		printable(cmp.Or(m.Release, "an unknown release")), m.Revision, len(m.Parts), octets)
}
