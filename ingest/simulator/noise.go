package simulator

var noises []func(*scene, *AllowList)
