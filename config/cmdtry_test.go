package config
import ("testing";"os")
func TestTry(t *testing.T){ for _,f:=range []string{"testdata/two-sites.yaml","testdata/node-ams.yaml"} { r,err:=CheckFile(f); if err!=nil {t.Fatal(err)}; r.Render(os.Stdout,false)}
 s,_:=NodeSchema(); os.Stdout.Write(s[:2000])
}
