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

	write   writeFlags // of an object of a running node
	objects []string
	from    string
}

func newRestore() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use: "restore {FILE {--data-dir DIR | --check} | --object KIND/NAME --from REVISION}", Short: "Make a data directory of a backup, or bring one object back",
		Args: cobra.MaximumNArgs(1),
		Long: `Restore makes the data directory of a stopped node of a backup. The backup is read and checked as a whole first; one that is cut, spoilt or
foreign changes nothing. The directory from before is kept beside the new one.

Files that were outside the data directory (the node file, tokens, keys) are put into its directory "restored"; where they were is
printed. Sites that have newer revisions bring this one up to date when it connects.

With --object, a running node makes one object, or several, what they were after a revision; all else of the document stays.`,
		Example: "  fairlead restore ams.backup --check\n  fairlead restore ams.backup --data-dir /var/lib/fairlead\n  fairlead restore --object service/web-ams --from 4f2a",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(f.objects) > 0 && len(args) == 0:
				return f.bringBack(cmd)
			case len(f.objects) == 0 && len(args) == 1:
				return f.run(cmd, args[0])
			}
			return usagef("name either the file of a backup, or objects with --object")
		},
	}
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "data directory to make; one that is there is kept aside")
	cmd.Flags().BoolVar(&f.check, "check", false, "read the backup and say what it has; change nothing")
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", "file whose first line the backup was encrypted with")
	f.write.add(cmd)
	cmd.Flags().StringArrayVar(&f.objects, "object", nil, "object to bring back at a running node, as service/web-ams; several: once each")
	cmd.Flags().StringVar(&f.from, "from", "", "revision that the objects are brought back from")
	cmd.MarkFlagsOneRequired("data-dir", "check", "object")
	cmd.MarkFlagsMutuallyExclusive("data-dir", "check", "object")
	cmd.MarkFlagsRequiredTogether("object", "from")
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

// bringBack makes objects of a running node what they were.
func (f *restoreFlags) bringBack(cmd *cobra.Command) error {
	var names []string
	for _, text := range f.objects {
		key, err := parseObjectArgument(text)
		if err != nil {
			return err
		}
		names = append(names, key.String())
	}
	return f.write.rollback(cmd, f.from, names)
}
