"""The operators' way to their customers, on the base host, and from one to another, on both."""

from django.urls import path

from portal.console.customers import creating, one, views

base = [
    path("", views.home, name="home"),
    path("customers/", views.customers, name="customers"),
    path("customers/new/", creating.new, name="customer_new"),
    path("customers/<slug:slug>/", one.customer, name="customer"),
    path("customers/<slug:slug>/edit/", one.edit, name="customer_edit"),
    path("customers/<slug:slug>/suspend/", one.suspend, name="customer_suspend"),
    path("customers/<slug:slug>/activate/", one.activate, name="customer_activate"),
    path("customers/<slug:slug>/administrator/", one.administrator, name="customer_administrator"),
    path("switch/", views.switch, name="switch"),
]
customer = [path("switch/", views.switch, name="switch")]
