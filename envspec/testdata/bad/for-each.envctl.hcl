environment "shop" {}
container "a" {
  for_each = 3
  image    = "x"
}
container "b" {
  for_each = ["a", "a"]
  image    = "x"
}
container "c" {
  for_each = [{ name = "x" }]
  image    = "x"
}
container "d" {
  image = each.value
}
container "e" {
  for_each = { x = 1 }
  image    = each.vlaue
}
container "f" {
  for_each = { "" = 1 }
  image    = "x"
}
container "g" {
  image = "x"
  count = 2
}
