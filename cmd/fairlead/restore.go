package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/backup"
)

// restoreFlags are the flags of fairlead restore.
type restoreFlags struct {
	dataDir, passphraseFile string
	check                   bool
}

func newRestore() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use: "restore FILE {--data-dir DIR | --check}", Short: "Make a data directory of a backup", Args: cobra.ExactArgs(1),
		Long: `Restore makes the data directory of a stopped node of a backup. The backup is read and checked as a whole first; one that is cut, spoilt or
foreign changes nothing. The directory from before is kept beside the new one.

Files that were outside the data directory (the node file, tokens, keys) are put into its directory "restored"; where they were is
printed. Sites that have newer revisions bring this one up to date when it connects.`,
		Example: "  fairlead restore ams.backup --check\n  fairlead restore ams.backup --data-dir /var/lib/fairlead",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "data directory to make; one that is there is kept aside")
	cmd.Flags().BoolVar(&f.check, "check", false, "read the backup and say what it has; change nothing")
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", "file whose first line the backup was encrypted with")
	cmd.MarkFlagsOneRequired("data-dir", "check")
	cmd.MarkFlagsMutuallyExclusive("data-dir", "check")
	return cmd
}

func (f *restoreFlags) run(cmd *cobra.Command, path string) error {
	passphrase, err := readPassphrase(f.passphraseFile)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return exit(exitUsage, err)
	}
	defer func() { _ = file.Close() }()
	w := cmd.OutOrStdout()
	if f.check {
		m, err := backup.Verify(file, passphrase)
		if err != nil {
			return exit(exitFailed, err)
		}
		printManifest(w, m)
		return nil
	}
	r, err := backup.Restore(backup.RestoreOptions{From: file, Passphrase: passphrase, DataDir: f.dataDir, Now: time.Now()})
	if err != nil {
		return exit(exitFailed, err)
	}
	printManifest(w, r.Manifest)
	if r.Aside != "" {
		fmt.Fprintf(w, "the data directory from before is %s\n", printable(r.Aside))
	}
	for _, e := range r.Files {
		fmt.Fprintf(w, "%s was %s\n", printable(e.Name), printable(e.Path))
	}
	return nil
}
