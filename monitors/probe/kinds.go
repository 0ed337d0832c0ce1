package probe

import (
	"fmt"

	"fairlead/config"
)

// ask runs the kind of probe that the monitor wants.
func (x *exchange) ask() error {
	switch x.monitor.Type {
	case config.MonitorPing:
		return x.askPing()
	case config.MonitorTCP:
		return x.askTCP()
	case config.MonitorUDP:
		return x.askUDP()
	case config.MonitorTLS:
		return x.askTLS()
	case config.MonitorHTTP, config.MonitorHTTPS:
		return x.askHTTP()
	case config.MonitorDNS:
		return x.askDNS()
	case config.MonitorGRPC:
		return x.askGRPC()
	case config.MonitorSMTP:
		return x.askSMTP()
	case config.MonitorPOP3:
		return x.askPOP3()
	case config.MonitorIMAP:
		return x.askIMAP()
	case config.MonitorFTP:
		return x.askFTP()
	case config.MonitorNTP:
		return x.askNTP()
	case config.MonitorLDAP:
		return x.askLDAP()
	case config.MonitorRADIUS:
		return x.askRADIUS()
	case config.MonitorSIP:
		return x.askSIP()
	case config.MonitorScript:
		return x.askScript()
	case config.MonitorMySQL:
		return x.askMySQL()
	case config.MonitorPostgres:
		return x.askPostgres()
	case config.MonitorRedis:
		return x.askRedis()
	case config.MonitorSNMP:
		return x.askSNMP()
	}
	return fmt.Errorf("monitors of type %q ask no target", x.monitor.Type)
}
