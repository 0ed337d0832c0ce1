package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"fairlead/internal/convert"
)

func newConvertBINDZone() *cobra.Command {
	var c converting
	var zone, named string
	var asFile bool
	cmd := &cobra.Command{
		Use:   "bind-zone [FILE...]",
		Short: "Convert zone files, or the zones of a named.conf",
		Long: `Bind-zone writes the zones section of a GSLB document: the records of small zones stand in it, large ones (above 1,000 records) refer
to their file. The name of a zone is that of its SOA record, or what the file is named for, unless --zone says it. Records of DNSSEC are
left out and listed. With --named-conf the zones of a named.conf are converted, with who may transfer them and who is notified.

Exit codes: 0 everything was converted; 3 the document was written and something is listed; 1 nothing could be converted; 2 a file cannot
be read or is there already.`,
		Example: "  fairlead convert bind-zone --zone example.com db.example.com\n  fairlead convert bind-zone --named-conf /etc/bind/named.conf.local -o zones.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if named == "" && len(args) == 0 {
				return usagef("name a zone file, or --named-conf FILE")
			}
			if zone != "" && len(args) != 1 {
				return usagef("--zone is the name of one file's zone, and there are %d files", len(args))
			}
			o := convert.BINDOptions{AsFile: asFile, NamedName: named, Read: func(name string) ([]byte, error) {
				if named != "" && !filepath.IsAbs(name) {
					name = filepath.Join(filepath.Dir(named), name)
				}
				return readConverted(name)
			}}
			if err := readZones(cmd, &o, args, zone); err != nil {
				return exit(exitUsage, err)
			}
			result, err := convert.BINDZones(o)
			if err != nil {
				return exit(exitFailed, err)
			}
			return c.finish(cmd, result)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "name of the zone")
	cmd.Flags().StringVar(&named, "named-conf", "", "file whose zone statements are converted")
	cmd.Flags().BoolVar(&asFile, "file", false, "refer to zone files, however small they are")
	c.flags(cmd)
	return cmd
}

// readZones reads the files that the arguments name.
func readZones(cmd *cobra.Command, o *convert.BINDOptions, files []string, zone string) error {
	for _, name := range files {
		text, err := readWhole(cmd.InOrStdin(), name)
		if err != nil {
			return err
		}
		o.Zones = append(o.Zones, convert.ZoneFile{Zone: zone, Name: name, Text: text})
	}
	if o.NamedName == "" {
		return nil
	}
	text, err := readWhole(cmd.InOrStdin(), o.NamedName)
	if err == nil && text == nil {
		text = []byte{}
	}
	o.Named = text
	return err
}
