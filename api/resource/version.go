package resource

// Version says what runs here.
type Version struct {
	Version string `json:"version" doc:"Version of Fairlead."`
	Go      string `json:"go" doc:"Version of Go it was built with."`
	Site    string `json:"site" doc:"Site of this node."`
}
