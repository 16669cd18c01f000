"""The operators' way to their customers, on the base host, and from one to another, on both."""

from django.urls import path

from portal.console.customers import views

base = [
    path("", views.home, name="home"),
    path("customers/", views.customers, name="customers"),
    path("switch/", views.switch, name="switch"),
]
customer = [path("switch/", views.switch, name="switch")]
