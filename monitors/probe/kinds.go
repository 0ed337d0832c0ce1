package probe

import (
	"fmt"

	"fairlead/config"
)

// ask runs the kind of probe that the monitor wants.
func (x *exchange) ask() error {
	switch x.monitor.Type {
	case config.MonitorTCP:
		return x.askTCP()
	case config.MonitorHTTP, config.MonitorHTTPS:
		return x.askHTTP()
	case config.MonitorScript:
		return x.askScript()
	}
	return fmt.Errorf("monitors of type %q ask no target", x.monitor.Type)
}
